"""ADT events about who is who: patients merged, linked, renumbered; visits and accounts moved. Chapter 3.6 of HL7 v2.

One message may hold several groups, each beginning with a PID.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from importers.hl7v2.conversion import Conversion, ConversionError, Draft
from importers.hl7v2.encounter import encounter, visit_number
from importers.hl7v2.er7 import Segment
from importers.hl7v2.identifiers import authority, system, token, type_concept
from importers.hl7v2.issue import DUPLICATE_KEY, REQUIRED_FIELD_MISSING, SEQUENCE_ERROR, Issue
from importers.hl7v2.patient import patient_of, strong_numbers
from resources.codec import Json


@dataclass(slots=True)
class Group:
    """A PID with what follows it."""

    pid: Segment
    others: dict[str, list[Segment]] = field(default_factory=dict)

    def first(self, name: str) -> Segment | None:
        return next(iter(self.others.get(name, ())), None)


def groups(conversion: Conversion) -> Iterator[Group]:
    """The groups of a message; ConversionError where there is no PID."""
    current: Group | None = None
    for segment in conversion.message.segments:
        if segment.name == "PID":
            if current is not None:
                yield current
            current = Group(segment)
        elif current is not None:
            current.others.setdefault(segment.name, []).append(segment)
    if current is None:
        told = "A PID segment was expected; without one nobody knows whose message this is"
        raise ConversionError(Issue("PID", told, SEQUENCE_ERROR, "error"))
    yield current


def merge_patients(conversion: Conversion) -> None:
    """The patient of each MRG becomes the patient of the PID before it."""
    for group in groups(conversion):
        survivor = patient_of(conversion, group.pid, group.first("PD1"))
        for mrg in _mrgs(group):
            _merge(conversion, survivor, mrg)
        if group.first("PV1") is not None:
            encounter(conversion, survivor, "fact", group.first("PV1"), group.first("PV2"))


def _merge(conversion: Conversion, survivor: Draft, mrg: Segment) -> None:
    numbers = strong_numbers(conversion, mrg.values(1)) or strong_numbers(conversion, mrg.values(4))
    if not numbers:
        told = "No number in MRG-1 says which patient is to be merged"
        raise ConversionError(Issue(f"{mrg.place}-1", told, REQUIRED_FIELD_MISSING, "error"))
    if not survivor.match:
        told = "No number in PID-3 says into which patient another one is to be merged"
        raise ConversionError(Issue("PID-3", told, REQUIRED_FIELD_MISSING, "error"))
    other = [number for number in numbers if token(number) not in survivor.match]
    if not other:
        told = "MRG-1 and PID-3 are the same number; a patient cannot be merged into himself"
        raise ConversionError(Issue(f"{mrg.place}-1", told, DUPLICATE_KEY, "error"))
    loser: Json = {"resourceType": "Patient", "identifier": other}
    draft = conversion.add(loser, match=tuple(token(number) for number in other))
    draft.replaced_by = survivor.url


def _mrgs(group: Group) -> list[Segment]:
    found = group.others.get("MRG", [])
    if not found:
        told = "An MRG segment was expected after PID; it says which number is given up"
        raise ConversionError(Issue("MRG", told, SEQUENCE_ERROR, "error"))
    return found


def renumber_patient(conversion: Conversion) -> None:
    """The patient of MRG-1 has the numbers of PID-3 from now on; the former ones are kept as old."""
    for group in groups(conversion):
        draft = patient_of(conversion, group.pid, group.first("PD1"))
        for mrg in _mrgs(group):
            for number in strong_numbers(conversion, mrg.values(1)):
                if token(number) in draft.match:
                    continue
                draft.resource.setdefault("identifier", []).append({**number, "use": "old"})
                draft.match += (token(number),)


def link_patients(conversion: Conversion) -> None:
    """The patients of the PIDs are the same person, kept apart: each has a link to the others."""
    _see_each_other(conversion)


def unlink_patients(conversion: Conversion) -> None:
    """The links between the patients of the PIDs end."""
    for draft in _see_each_other(conversion):
        draft.adjust = _unlinked


def _see_each_other(conversion: Conversion) -> list[Draft]:
    drafts = [patient_of(conversion, group.pid, group.first("PD1")) for group in groups(conversion)]
    for draft in drafts:
        others = [each for each in drafts if each is not draft]
        if others:
            links = [{"other": conversion.reference(each), "type": "seealso"} for each in others]
            draft.resource["link"] = links
    return drafts


def _unlinked(_stored: Json, merged: Json, told: Json, _newer: bool) -> Json:
    links = [link for link in merged.get("link", ()) if link not in told.get("link", ())]
    result = {name: value for name, value in merged.items() if name != "link"}
    return {**result, "link": links} if links else result


def swap_patients(conversion: Conversion) -> None:
    """Each patient is where his own PV1 says."""
    for group in groups(conversion):
        subject = patient_of(conversion, group.pid, group.first("PD1"))
        if group.first("PV1") is not None:
            encounter(conversion, subject, "fact", group.first("PV1"), group.first("PV2"))


def move_visit(conversion: Conversion) -> None:
    """The visit of PV1-19 (or MRG-5) is that of the patient in PID, and so is what belongs to it."""
    for group in groups(conversion):
        subject = patient_of(conversion, group.pid, group.first("PD1"))
        visit = encounter(conversion, subject, "fact", group.first("PV1"), group.first("PV2"))
        if visit is None:
            told = "A PV1 segment with the number of the visit was expected"
            raise ConversionError(Issue("PV1", told, SEQUENCE_ERROR, "error"))
        _renumber_visit(conversion, group, visit)
        visit.moves = True


def renumber_visit(conversion: Conversion) -> None:
    """The visit of MRG-5 has the number of PV1-19 from now on."""
    for group in groups(conversion):
        subject = patient_of(conversion, group.pid, group.first("PD1"))
        visit = encounter(conversion, subject, "fact", group.first("PV1"), group.first("PV2"))
        _mrgs(group)
        if visit is not None:
            _renumber_visit(conversion, group, visit)


def merge_visits(conversion: Conversion) -> None:
    """The visit of MRG-5 becomes part of that of PV1-19, and so does what belongs to it."""
    for group in groups(conversion):
        subject = patient_of(conversion, group.pid, group.first("PD1"))
        visit = encounter(conversion, subject, "fact", group.first("PV1"), group.first("PV2"))
        for mrg in _mrgs(group):
            number = visit_number(conversion, mrg.value(5)) if mrg.raw(5) else None
            if visit is None or number is None or token(number) in visit.match:
                told = "PV1-19 and MRG-5 have to be the numbers of two visits"
                raise ConversionError(Issue(f"{mrg.place}-5", told, REQUIRED_FIELD_MISSING, "error"))
            loser = {
                "resourceType": "Encounter",
                "identifier": [number],
                "status": "entered-in-error",
                "class": visit.resource["class"],
                "subject": visit.resource["subject"],
                "partOf": conversion.reference(visit),
            }
            draft = conversion.add(loser, match=(token(number),))
            draft.replaced_by = visit.url


def _renumber_visit(conversion: Conversion, group: Group, visit: Draft) -> None:
    for mrg in group.others.get("MRG", []):
        number = visit_number(conversion, mrg.value(5)) if mrg.raw(5) else None
        if number is not None and token(number) not in visit.match:
            visit.resource.setdefault("identifier", []).append({**number, "use": "old"})
            visit.match += (token(number),)
            visit.same = None


def accounts(conversion: Conversion) -> None:
    """The account of PID-18 is that of the patient in PID; the one in MRG-3 is part of it and inactive."""
    for group in groups(conversion):
        subject = patient_of(conversion, group.pid, group.first("PD1"))
        kept = _account(conversion, group.pid, 18, subject)
        if kept is None:
            told = "PID-18 is empty; the number of the account was expected"
            raise ConversionError(Issue(f"{group.pid.place}-18", told, REQUIRED_FIELD_MISSING, "error"))
        kept.moves = True
        for mrg in _mrgs(group):
            old = _account(conversion, mrg, 3, subject) if mrg.raw(3) else None
            if old is not None and old is not kept:
                old.resource |= {"status": "inactive", "partOf": conversion.reference(kept)}
                old.moves = True


def _account(conversion: Conversion, segment: Segment, number: int, subject: Draft) -> Draft | None:
    value = segment.value(number)
    if not value.text(1):
        return None
    found = {
        "type": type_concept(conversion, "AN"),
        "system": system(conversion, authority(value.component(4)), "AN"),
        "value": value.text(1),
    }
    resource = {
        "resourceType": "Account",
        "identifier": [found],
        "status": "active",
        "subject": [conversion.reference(subject)],
    }
    return conversion.add(resource, match=(token(found),))


_MAPS: dict[str, Callable[[Conversion], None]] = {
    "A17": swap_patients,
    "A24": link_patients,
    "A37": unlink_patients,
    "A42": merge_visits,
    "A45": move_visit,
    "A50": renumber_visit,
    "A51": renumber_visit,
    **dict.fromkeys(("A18", "A30", "A34", "A36", "A39", "A40"), merge_patients),
    **dict.fromkeys(("A46", "A47", "A48"), renumber_patient),
    **dict.fromkeys(("A35", "A41", "A44", "A49"), accounts),
}
EVENTS = {f"ADT^{event}": mapping for event, mapping in _MAPS.items()}
