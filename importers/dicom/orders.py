"""What the study was asked for: orders as references by number, reasons, the visit.

Nothing here makes a ServiceRequest or an Encounter: they come from those who order and admit. `links` finds them.
http://hl7.org/fhir/R4/imagingstudy-definitions.html#ImagingStudy.basedOn
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from importers.dicom import choice, codes, identifiers
from importers.dicom.rows import Group
from importers.dicom.study import StudyConversion, first
from resources.codec import Json

_NUMBERS = (
    ("AccessionNumber", "IssuerOfAccessionNumberSequence", "ACSN", "accession"),
    ("FillerOrderNumberImagingServiceRequest", "OrderFillerIdentifierSequence", "FILL", "filler"),
    ("PlacerOrderNumberImagingServiceRequest", "OrderPlacerIdentifierSequence", "PLAC", "placer"),
)
_REQUESTS = ("RequestAttributesSequence", "ReferencedRequestSequence")


def accession(study: StudyConversion, values: Mapping[str, Any]) -> Json | None:
    """The Identifier of AccessionNumber."""
    issued = identifiers.issuer(study.config, first(values, "IssuerOfAccessionNumberSequence"))
    return identifiers.identifier(study.config, values.get("AccessionNumber"), "ACSN", issued, "accession")


def based_on(study: StudyConversion, groups: Sequence[Group], own: Json | None) -> list[Json]:
    """A logical reference for each order: by accession, else by filler's, else by placer's number."""
    found = [own] if own is not None else []
    for item in _requests(groups):
        for keyword, issued_by, code, kind in _NUMBERS:
            issued = identifiers.issuer(study.config, first(item, issued_by))
            made = identifiers.identifier(study.config, item.get(keyword), code, issued, kind)
            if made is None:
                continue
            if not any(_same(made, each, issued=issued[0] is not None) for each in found):
                found.append(made)
            break
    return [{"type": "ServiceRequest", "identifier": each} for each in found]


def _same(made: Json, known: Json, *, issued: bool) -> bool:
    """Whether it is the number of an order that is known; one that nobody is said to have issued is, by its value."""
    if made["value"] != known["value"] or made["type"] != known["type"]:
        return False
    return not issued or made["system"] == known["system"]


def reasons(study: StudyConversion, groups: Sequence[Group]) -> list[Json]:
    """Why: codes and text of requests and of the performed procedure, each once over all series."""
    sources: list[Mapping[str, Any]] = [*_requests(groups)]
    sources += [group.series for group in sorted(groups, key=lambda group: group.first)]
    items: list[Mapping[str, Any]] = []
    for each in sources:
        items += each.get("ReasonForRequestedProcedureCodeSequence", ())
        items += each.get("ReasonForPerformedProcedureCodeSequence", ())
    found = codes.concepts(study, items)
    texts = [" ".join(str(each.get("ReasonForTheRequestedProcedure", "")).split()) for each in sources]
    known = {str(each.get("text", "")).casefold() for each in found}
    for text in dict.fromkeys(text for text in texts if text):
        if text.casefold() not in known:
            found.append({"text": text})
    return found


def encounter(study: StudyConversion, values: Mapping[str, Any]) -> Json | None:
    """A logical reference to the visit that AdmissionID names."""
    issued = identifiers.issuer(study.config, first(values, "IssuerOfAdmissionIDSequence"))
    found = identifiers.identifier(study.config, values.get("AdmissionID"), "VN", issued, "visit")
    return {"type": "Encounter", "identifier": found} if found is not None else None


def _requests(groups: Sequence[Group]) -> list[Mapping[str, Any]]:
    return [
        item
        for name in _REQUESTS
        for items in choice.distinct(groups, name, of_series=True)
        for item in items
    ]
