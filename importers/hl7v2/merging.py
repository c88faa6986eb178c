"""Two records of one person become one: the survivor stays, the other is inactive and points to it.

What refers to the loser is moved in the same transaction as far as `MOST` resources; if more are left, the message
is reconciled again until none is. What comes in later under the old number finds the survivor through the link.

HL7 v2.8.2 chapter 3.6.2 (merging), http://hl7.org/fhir/R4/patient.html#merge
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from importers.hl7v2.conversion import Draft
from importers.hl7v2.issue import DUPLICATE_KEY, Issue
from importers.hl7v2.look_up import Query
from importers.hl7v2.matching import Matches, UnclearError, is_loser, reference_of, replaced_by, seen
from importers.hl7v2.update import identifier_key
from resources import compartments
from resources.codec import Json

MOST = 300
"""Resources moved in one transaction"""
_MOST_FOUND = 1000
"""What one look-up finds at most"""
_STAY = {"AuditEvent", "Provenance", "Patient"}
"""What says who was meant at the time"""
_STUBS = UUID("2f0b3c5e-1c55-4a3e-8e37-5f1a8e0d6f0b")


@dataclass(slots=True)
class Merge:
    """One loser of a survivor (the url of its draft); `loser` is None where nobody knew it until now."""

    survivor: str
    identifiers: list[Json]
    loser: Json | None
    url: str


@dataclass(slots=True)
class Moved:
    """Resources that refer to the loser, and whether there are more."""

    resources: list[Json] = field(default_factory=list)
    more: bool = False


def losers(
    drafts: Sequence[Draft], matches: Matches
) -> Generator[list[Query], list[list[Json]], list[Merge]]:
    """Who is merged into whom; UnclearError where a number means more than one patient."""
    asked = [draft for draft in drafts if is_loser(draft)]
    if not asked:
        return []
    queries = [("Patient", query) for draft in asked for query in draft.match]
    answers = iter((yield queries))
    merges = []
    for draft in asked:
        found = {each["id"]: each for _ in draft.match for each in next(answers)}
        yield from seen(found.values(), matches)
        merge = _merge(draft, list(found.values()), matches)
        if merge is not None:
            merges.append(merge)
    return merges


def _merge(draft: Draft, found: list[Json], matches: Matches) -> Merge | None:
    survivor = str(draft.replaced_by)
    stored = matches.stored[survivor]
    identifiers = draft.resource["identifier"]
    if stored is None:
        others = found
    else:
        itself = reference_of(stored)
        others = [each for each in found if reference_of(each) != itself]
        if found and not others and not _is_old(stored, identifiers):
            text = "The patient to be merged is the one who survives, through an earlier merge or by both numbers; nothing was changed"
            matches.issues.append(Issue("MRG-1", text, DUPLICATE_KEY, "warning"))
        if found and not others:
            return None
        for each in others:
            into = replaced_by(each)
            if into is not None and matches.survivor(into) != itself:
                raise _elsewhere()
    if stored is None and any(replaced_by(each) for each in others):
        raise _elsewhere()
    open_ = [each for each in others if replaced_by(each) is None]
    if len(open_) > 1:
        text = f"{len(open_)} patients have the number that is to be merged; nothing was stored"
        raise UnclearError(Issue("MRG-1", text, DUPLICATE_KEY, "error"))
    loser = open_[0] if open_ else others[0] if others else None
    return Merge(survivor, identifiers, loser, draft.url)


def _elsewhere() -> UnclearError:
    text = "The patient to be merged was merged into another one before; nothing was stored"
    return UnclearError(Issue("MRG-1", text, DUPLICATE_KEY, "error"))


def _is_old(patient: Json, identifiers: list[Json]) -> bool:
    keys = {identifier_key(each) for each in identifiers}
    return any(
        identifier_key(each) in keys and each.get("use") == "old" for each in patient.get("identifier", ())
    )


def stub(merge: Merge, survivor: str) -> tuple[Json, str]:
    """A patient of whom only the old number is known, and that it is the survivor's now; with its id."""
    key = "&".join("|".join(identifier_key(each)) for each in merge.identifiers)
    patient = {"resourceType": "Patient", "identifier": merge.identifiers}
    new_id = str(uuid5(_STUBS, key))
    return {**replaced(patient, survivor), "id": new_id}, new_id


def replaced(loser: Json, survivor: str) -> Json:
    """The loser, inactive, with a link to the survivor."""
    link = {"other": {"reference": survivor}, "type": "replaced-by"}
    links = [each for each in loser.get("link", ()) if each != link]
    return {**loser, "active": False, "link": [*links, link]}


def replacing(survivor: Json, merge: Merge, loser: str) -> Json:
    """The survivor, with the numbers of the loser as old ones and a link to it."""
    link = {"other": {"reference": loser}, "type": "replaces"}
    links = survivor.get("link", [])
    old = {identifier_key(each): {**each, "use": "old"} for each in merge.identifiers}
    kept = [old.pop(identifier_key(each), each) for each in survivor.get("identifier", ())]
    return {
        **survivor,
        "identifier": [*kept, *old.values()],
        "link": links if link in links else [*links, link],
    }


def dependents(reference: str) -> Generator[list[Query], list[list[Json]], Moved]:
    """What is in the compartment of a patient or a visit, as far as one transaction may move."""
    moved = Moved()
    queries = [
        (kind, f"{code}={reference}")
        for kind, codes in sorted(compartments.compartments()[reference.partition("/")[0]].items())
        if kind not in _STAY
        for code in codes
    ]
    found: dict[str, Json] = {}
    for some in (yield queries):
        moved.more = moved.more or len(some) >= _MOST_FOUND
        found.update({reference_of(each): each for each in some})
    moved.more = moved.more or len(found) > MOST
    moved.resources = list(found.values())[:MOST]
    return moved
