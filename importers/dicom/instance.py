"""What ImagingStudy says of one instance: number and title, and the element itself.

http://hl7.org/fhir/R4/imagingstudy-definitions.html#ImagingStudy.series.instance
"""

from __future__ import annotations

from importers.dicom.header import Header
from resources.codec import Json

LARGEST = 2**31 - 1
"""unsignedInt"""
URI = "urn:ietf:rfc:3986"


def number(header: Header) -> int | None:
    """InstanceNumber, where FHIR can hold it: it has no negative ones."""
    told = header.values.get("InstanceNumber")
    return told if isinstance(told, int) and 0 <= told <= LARGEST else None


def title(header: Header) -> str | None:
    """Of documents and presentations, what they are called; images have none."""
    concept = header.values.get("ConceptNameCodeSequence")
    told = header.values.get("DocumentTitle") or header.values.get("ContentLabel")
    if not told and concept:
        told = concept[0].get("CodeMeaning")
    return str(told) if told else None


def element(sop_uid: str, sop_class: str, told_number: int | None, told_title: str | None) -> Json:
    """ImagingStudy.series.instance."""
    made: Json = {"uid": sop_uid, "sopClass": sop_class_coding(sop_class)}
    if told_number is not None:
        made["number"] = told_number
    if told_title:
        made["title"] = told_title
    return made


def sop_class_coding(sop_class: str) -> Json:
    """A SOP class as ImagingStudy has it: a URI."""
    return {"system": URI, "code": f"urn:oid:{sop_class}"}
