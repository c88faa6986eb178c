"""Whose a study is, as one text: system and number of the patient."""

from __future__ import annotations

from importers.dicom.rows import Values
from importers.dicom.sources import SourceConfig
from importers.hl7v2.identifiers import token


def patient_key(study: Values, source: SourceConfig) -> str:
    """`urn:oid:1.2.3|4711`, as a search has it; empty where PatientID is."""
    value = study.get("PatientID")
    if not value:
        return ""
    system = source.issuers.get(str(study.get("IssuerOfPatientID", ""))) or source.system("patient")
    return token({"system": system, "value": str(value)}).removeprefix("identifier=")
