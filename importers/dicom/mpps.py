"""A modality performed procedure step as Procedure, and the study it makes, known before its first instance; pure.

https://dicom.nema.org/medical/dicom/current/output/chtml/part04/sect_F.7.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from importers.dicom import codes, identifiers, orders, times
from importers.dicom.header import Issue, Refused
from importers.dicom.patient import patient
from importers.dicom.sources import SourceConfig
from importers.dicom.study import UIDS, StudyConversion, first
from importers.hl7v2.conversion import Adjust
from resources.codec import Json

SOP_CLASS = "1.2.840.10008.3.1.2.3.3"
INVALID_VALUE, PROCESSING_FAILURE = 0x0106, 0x0110
"""Statuses of PS3.7 annex C"""
_BEGUN = "IN PROGRESS"
_STATUSES = {_BEGUN: "in-progress", "COMPLETED": "completed", "DISCONTINUED": "stopped"}
_FINAL = {"completed", "stopped"}


def query(uid: str) -> str:
    """The search that finds the Procedure of a step."""
    return identifiers.token(_identifier(uid))


def created(uid: str, values: Mapping[str, Any], config: SourceConfig) -> StudyConversion:
    """What N-CREATE makes: Procedure, Patient, and the ImagingStudy as `registered` if it is not known; Refused."""
    if values.get("PerformedProcedureStepStatus") != _BEGUN:
        raise Refused(INVALID_VALUE, f"PerformedProcedureStepStatus of a new step is {_BEGUN}")
    scheduled = first(values, "ScheduledStepAttributesSequence")
    study_uid = str(scheduled.get("StudyInstanceUID", ""))
    made = StudyConversion(study_uid or uid, config)
    subject = made.reference(patient(made, values))
    procedure: Json = {"resourceType": "Procedure", "identifier": [_identifier(uid)], "status": "in-progress"}
    concept = codes.concept(made, first(values, "ProcedureCodeSequence"))
    told = values.get("PerformedProcedureStepDescription")
    if concept is not None or told:
        procedure["code"] = concept or {"text": str(told)}
    procedure["subject"] = subject
    issues: list[Issue] = []
    if start := times.date_time(values, "PerformedProcedureStepStart", config.zone, issues):
        procedure["performedPeriod"] = {"start": start}
    if number := orders.accession(made, scheduled):
        procedure["basedOn"] = [{"type": "ServiceRequest", "identifier": number}]
    made.told(issues)
    made.add(procedure, (query(uid),))
    if study_uid:
        identifier = {"use": "official", "system": UIDS, "value": f"urn:oid:{study_uid}"}
        study: Json = {"resourceType": "ImagingStudy", "identifier": [identifier], "status": "registered"}
        study["subject"] = subject
        made.add(study, (identifiers.token(identifier),), role="reference", adjust=_kept)
    return made


def changed(uid: str, values: Mapping[str, Any], config: SourceConfig, stored: Json) -> StudyConversion:
    """What N-SET makes of the Procedure that is stored; Refused where the step is over."""
    if stored.get("status") in _FINAL:
        raise Refused(PROCESSING_FAILURE, "The performed procedure step may no longer be updated")
    made = StudyConversion(uid, config)
    status = values.get("PerformedProcedureStepStatus", _BEGUN)
    if status not in _STATUSES:
        raise Refused(INVALID_VALUE, f"PerformedProcedureStepStatus is none of {', '.join(_STATUSES)}")
    procedure: Json = {"resourceType": "Procedure", "status": _STATUSES[status]}
    issues: list[Issue] = []
    if end := times.date_time(values, "PerformedProcedureStepEnd", config.zone, issues):
        procedure["performedPeriod"] = {"end": end}
    reason = codes.concept(made, first(values, "PerformedProcedureStepDiscontinuationReasonCodeSequence"))
    if reason is not None:
        procedure["statusReason"] = reason
    made.told(issues)
    made.add(procedure, (query(uid),), adjust=_both_ends)
    return made


def _identifier(uid: str) -> Json:
    return {"system": UIDS, "value": f"urn:oid:{uid}"}


def _kept(stored: Json, merged: Json, _told: Json, _newer: bool) -> Json:
    """A study that is known stays as it is."""
    return stored or merged


def _both_ends(stored: Json, merged: Json, told: Json, _newer: bool) -> Json:
    """A period keeps its start when its end is told."""
    period = {**stored.get("performedPeriod", {}), **told.get("performedPeriod", {})}
    return {**merged, "performedPeriod": period} if period else merged


_: Adjust = _both_ends
