"""Encapsulated documents (PDF, CDA) → DocumentReference: where it is, not what is in it.

PS3.3 A.45; http://hl7.org/fhir/R4/documentreference.html
"""

from __future__ import annotations

from importers.dicom import codes, header, times
from importers.dicom.observation import About, add, status
from importers.dicom.study import StudyConversion
from resources.codec import Json


def document(study: StudyConversion, about: About) -> None:
    """The draft of a DocumentReference, with the address in the archive where one is configured."""
    told = about.content
    attachment: Json = {}
    if mime := told.get("MIMETypeOfEncapsulatedDocument"):
        attachment["contentType"] = str(mime)
    if base := study.config.endpoint:
        attachment["url"] = f"{base}/studies/{study.uid}/series/{told['series']}/instances/{about.sop_uid}"
    if title := told.get("DocumentTitle"):
        attachment["title"] = str(title)
    if not attachment:
        attachment["title"] = "Encapsulated document"
    made: Json = {
        "resourceType": "DocumentReference",
        "masterIdentifier": about.uid,
        "identifier": [about.uid],
        "status": "current",
        "docStatus": status(told),
        "subject": about.subject,
    }
    if kind := codes.concepts(study, told.get("ConceptNameCodeSequence", ())):
        made["type"] = kind[0]
    issues: list[header.Issue] = []
    date = times.date_time(told, "Content", study.config.zone, issues)
    if date is not None and "T" in date:
        made["date"] = date
    study.told(issues)
    made["content"] = [{"attachment": attachment}]
    made["context"] = {"related": [about.study]}
    add(study, made)
