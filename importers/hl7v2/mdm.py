"""MDM^T01 to T11 → DocumentReference. http://hl7.org/fhir/uv/v2mappings, TXA, OBX and NTE[DocumentReference].

A document is known by its unique number, TXA-12; an addendum or a replacement has a number of its own and names the
document it belongs to in TXA-13. HL7 v2.8.2 chapter 9; docs/hl7v2.md#notified-documents
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from importers.hl7v2 import actors, attachments, datatypes, identifiers, obx_value, service_request
from importers.hl7v2.conversion import Conversion, ConversionError, Draft
from importers.hl7v2.er7 import Segment
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING, Issue
from importers.hl7v2.order_group import orders
from importers.hl7v2.override import overridable
from importers.hl7v2.subject import Subject, subject
from resources.codec import Json

_STATUS = {"AV": "current", "CA": "entered-in-error", "OB": "superseded", "UN": "current"}
"""Table 0273"""
_DOC_STATUS = {
    "AU": "final",
    "LA": "final",
    "DI": "preliminary",
    "DO": "preliminary",
    "IN": "preliminary",
    "IP": "preliminary",
    "PA": "preliminary",
}
"""Table 0271"""
_RELATION = {
    "T05": "appends",
    "T06": "appends",
    "T07": "replaces",
    "T08": "replaces",
    "T09": "replaces",
    "T10": "replaces",
}
_KINDS = {
    "AR": "Autopsy report",
    "CD": "Cardiodiagnostics",
    "CN": "Consultation",
    "DI": "Diagnostic imaging",
    "DS": "Discharge summary",
    "ED": "Emergency department report",
    "HP": "History and physical examination",
    "OP": "Operative report",
    "PC": "Psychiatric consultation",
    "PH": "Psychiatric history and physical examination",
    "PN": "Procedure note",
    "PR": "Progress note",
    "SP": "Surgical pathology",
    "TS": "Transfer summary",
}
_DOCUMENTS = frozenset({"ED", "RP"})


def documents(conversion: Conversion) -> None:
    """The document of each TXA."""
    found = conversion.message.all("TXA")
    if not found:
        told = "A TXA segment was expected; without one there is no document"
        raise ConversionError(Issue("TXA", told, REQUIRED_FIELD_MISSING, "error"))
    about = subject(conversion)
    related = _orders(conversion, about)
    for number, txa in enumerate(found):
        last = found[number + 1].index if number + 1 < len(found) else len(conversion.message.segments)
        document(conversion, txa, about, related, last)


def _orders(conversion: Conversion, about: Subject) -> list[Json]:
    """What the document answers: ORC and OBR before it."""
    drafts = (
        service_request.ordered(
            conversion, group, about, service_request.numbers(conversion, group), alone=True
        )
        for group in orders(conversion.message).groups
        if group.obr is not None
    )
    return [conversion.reference(draft) for draft in drafts if draft is not None]


@overridable("TXA")
def document(conversion: Conversion, txa: Segment, about: Subject, related: list[Json], last: int) -> Draft:
    """The DocumentReference of a TXA and of the OBX and NTE before the segment with index `last`."""
    resource: Json = {"resourceType": "DocumentReference"}
    number = identifiers.entity(conversion, txa.value(12))
    if number is not None:
        resource["masterIdentifier"] = number
        resource["identifier"] = [number]
    else:
        told = "TXA-12 is empty; nobody can add to, replace or cancel this document"
        conversion.issue(f"{txa.place}-12", told, REQUIRED_FIELD_MISSING)
    if name := txa.text(16):
        system = conversion.config.derived_uri("file", conversion.facility)
        resource.setdefault("identifier", []).append({"system": system, "value": name})
    _add_status(conversion, txa, resource)
    if kind := _kind(conversion, txa):
        resource["type"] = kind
    if about.patient is not None:
        resource["subject"] = about.patient
    _add_people(conversion, txa, resource)
    for field in (6, 4, 7):
        if (
            "date" not in resource
            and txa.raw(field)
            and (date := datatypes.instant(conversion, txa.value(field)))
        ):
            resource["date"] = date
    if description := txa.text(25):
        resource["description"] = description
    if label := datatypes.codeable_concept(conversion, txa.value(18), "0272"):
        resource["securityLabel"] = [label]
    if (earlier := _earlier(conversion, txa, about)) is not None:
        resource["relatesTo"] = [earlier]
    contents = _contents(conversion, txa, about, last)
    placeholder = {"title": txa.text(16) or txa.text(2, 2) or txa.text(2) or "document"}
    resource["content"] = [{"attachment": each} for each in contents or [placeholder]]
    context: Json = {"encounter": [about.encounter]} if about.encounter is not None else {}
    if related:
        context["related"] = related
    if context:
        resource["context"] = context
    match = (identifiers.token(number),) if number is not None else ()
    draft = conversion.add(resource, match)
    if not contents:
        draft.adjust = _content_kept
    return draft


def _kind(conversion: Conversion, txa: Segment) -> Json | None:
    """TXA-2; codes without a system are of table 0270, which has no map."""
    code = txa.text(2)
    if code in _KINDS and not txa.text(2, 3):
        coding = {
            "system": "http://terminology.hl7.org/CodeSystem/v2-0270",
            "code": code,
            "display": _KINDS[code],
        }
        return {"coding": [coding], **({"text": text} if (text := txa.text(2, 2)) else {})}
    return datatypes.codeable_concept(conversion, txa.value(2))


def _add_status(conversion: Conversion, txa: Segment, resource: Json) -> None:
    said = txa.text(19).upper()
    cancelled = conversion.message.event == "T11"
    resource["status"] = "entered-in-error" if cancelled else _STATUS.get(said, "current")
    completion = txa.text(17).upper()
    if completion in _DOC_STATUS:
        is_edit = conversion.message.event in ("T07", "T08") and _DOC_STATUS[completion] == "final"
        resource["docStatus"] = "amended" if is_edit else _DOC_STATUS[completion]
    elif completion:
        resource |= {"docStatus": "preliminary"}
        conversion.issue(
            f"{txa.place}-17", "This code is not in table 0271; the document was taken as preliminary"
        )


def _add_people(conversion: Conversion, txa: Segment, resource: Json) -> None:
    """TXA-9 (originator) and TXA-5 as authors, TXA-22 and TXA-10 as authenticator."""
    authors: list[Json] = []
    for field in (9, 5):
        for value in txa.values(field):
            author = actors.practitioner(conversion, value)
            if author is not None and author not in authors:
                authors.append(author)
    if authors:
        resource["author"] = authors
    for field in (22, 10):
        if "authenticator" not in resource and txa.raw(field):
            authenticator = actors.practitioner(conversion, txa.value(field))
            if authenticator is not None:
                resource["authenticator"] = authenticator


def _earlier(conversion: Conversion, txa: Segment, about: Subject) -> Json | None:
    """What this one appends to or replaces: TXA-13; a document that is replaced is superseded.

    One that is not stored is named by its number: nothing else is known of it.
    """
    number = identifiers.entity(conversion, txa.value(13)) if txa.raw(13) else None
    if number is None or number == identifiers.entity(conversion, txa.value(12)):
        return None
    relation = _RELATION.get(conversion.message.event, "appends")
    status = "superseded" if relation == "replaces" else "current"
    parent: Json = {
        "resourceType": "DocumentReference",
        "masterIdentifier": number,
        "identifier": [number],
        "status": status,
        "content": [{"attachment": {"title": "not received"}}],
    }
    if about.patient is not None:
        parent["subject"] = about.patient
    draft = conversion.add(parent, (identifiers.token(number),), role="known")
    draft.adjust = partial(_status_only, status if relation == "replaces" else None)
    target = {**conversion.reference(draft), "type": "DocumentReference", "identifier": number}
    return {"code": relation, "target": target}


def _status_only(status: str | None, stored: Json, merged: Json, told: Json, newer: bool) -> Json:
    if not stored:
        return told
    return {**stored, "status": status} if status and newer and stored.get("status") == "current" else stored


def _content_kept(stored: Json, merged: Json, told: Json, newer: bool) -> Json:
    """A notification without content leaves the content as it was."""
    return {**merged, "content": stored["content"]} if "content" in stored else merged


def _contents(conversion: Conversion, txa: Segment, about: Subject, last: int) -> list[Json]:
    """An Attachment for each document among the OBX, and for each run of text."""
    found: list[Json] = []
    lines: list[str] = []
    for segment in conversion.message.segments[txa.index + 1 : last]:
        if segment.name == "OBX" and segment.text(2) in _DOCUMENTS and attachments.holds_document(segment):
            _end_text(conversion, lines, about, found)
            found += attachments.attachments(conversion, segment, about.patient)
        elif segment.name == "OBX" and segment.raw(5):
            lines.append(_text(conversion, segment))
        elif segment.name == "OBX" and segment.text(2) in ("TX", "FT"):
            lines.append("")
    _end_text(conversion, lines, about, found)
    return found


def _text(conversion: Conversion, obx: Segment) -> str:
    """A line; of coded and measured values, what a person would read."""
    value = obx_value.elements(conversion, obx)
    for content in value.values():
        if isinstance(content, str):
            return content
        if isinstance(content, dict) and ("text" in content or "coding" in content):
            coding = content.get("coding", [{}])[0]
            return str(content.get("text") or coding.get("display") or coding.get("code"))
    return f"{obx_value.text_of(obx)} {obx.text(6)}".strip()


def _end_text(conversion: Conversion, lines: list[str], about: Subject, found: list[Json]) -> None:
    text = "\n".join(lines).strip("\n")
    if text:
        found.append(attachments.store(conversion, text.encode(), "text/plain; charset=utf-8", about.patient))
    lines.clear()


_EVENTS = "T01 T02 T03 T04 T05 T06 T07 T08 T09 T10 T11"

EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    {"MDM": documents, **{f"MDM^{event}": documents for event in _EVENTS.split()}}
)
