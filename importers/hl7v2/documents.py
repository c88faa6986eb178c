"""Documents among the results (OBX-2 ED and RP) → DocumentReference, and DiagnosticReport.presentedForm.

Both have the same Attachment; a large one is stored once, as a Binary. http://hl7.org/fhir/R4/documentreference.html
"""

from __future__ import annotations

from collections.abc import Sequence

from importers.hl7v2 import datatypes, identifiers
from importers.hl7v2.attachments import attachments, holds_document
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.obx import Panel, observations
from importers.hl7v2.order_group import Result
from resources.codec import Json

_STATUS = {"D": "entered-in-error", "W": "entered-in-error", "X": "entered-in-error"}
_DOC_STATUS = {
    "F": "final",
    "P": "preliminary",
    "C": "amended",
    "A": "amended",
    "R": "preliminary",
    "S": "preliminary",
}


def apart(results: Sequence[Result]) -> tuple[list[Result], list[Result]]:
    """What was observed, and the documents."""
    findings: list[Result] = []
    papers: list[Result] = []
    for result in results:
        (papers if holds_document(result.obx) else findings).append(result)
    return findings, papers


def observed(conversion: Conversion, results: Sequence[Result], common: Panel) -> list[Draft]:
    """The observations, and the documents, where there is no report to present them."""
    findings, papers = apart(results)
    return [*observations(conversion, findings, common), *references(conversion, papers, common)]


def add(conversion: Conversion, papers: Sequence[Result], common: Panel, report: Draft) -> None:
    """A DocumentReference of each document; the report presents them all."""
    for draft in references(conversion, papers, common, report):
        forms = [content["attachment"] for content in draft.resource["content"]]
        report.resource["presentedForm"] = [*report.resource.get("presentedForm", ()), *forms]


def references(
    conversion: Conversion, papers: Sequence[Result], common: Panel, report: Draft | None = None
) -> list[Draft]:
    """A DocumentReference of each document."""
    return [_document(conversion, paper, common, report) for paper in papers]


def _document(conversion: Conversion, paper: Result, common: Panel, report: Draft | None) -> Draft:
    obx = paper.obx
    subject = common.shared.get("subject")
    key = f"{common.key}/{obx.text(3) or obx.text(3, 2)}/{obx.raw(4)}".rstrip("/")
    number = conversion.occurrence(f"DocumentReference {key}")
    own = {
        "system": conversion.config.derived_uri("document"),
        "value": " ".join(key.split()) + (f"/#{number}" if number > 1 else ""),
    }
    status = obx.text(11).upper()
    resource: Json = {"resourceType": "DocumentReference", "identifier": [own]}
    resource["status"] = _STATUS.get(status, "current")
    if status in _DOC_STATUS:
        resource["docStatus"] = _DOC_STATUS[status]
    if (kind := datatypes.codeable_concept(conversion, obx.value(3)) or common.code) is not None:
        resource["type"] = kind
    if subject is not None:
        resource["subject"] = subject
    if "issued" in common.shared:
        resource["date"] = common.shared["issued"]
    resource["content"] = [{"attachment": each} for each in attachments(conversion, obx, subject)]
    context: Json = {"related": [conversion.reference(report)]} if report is not None else {}
    if "encounter" in common.shared:
        context["encounter"] = [common.shared["encounter"]]
    if context:
        resource["context"] = context
    return conversion.add(resource, (identifiers.token(own),), moment=common.moment)
