from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from importers.dicom.header import Refused
from importers.dicom.mpps import changed, created, query
from importers.dicom.sources import SourceConfig

UID, STUDY = "1.2.3.4", "1.2.3"
CONFIG = SourceConfig(zone=ZoneInfo("Europe/Copenhagen"))
VALUES: dict[str, Any] = {
    "PatientID": "4711",
    "PerformedProcedureStepStatus": "IN PROGRESS",
    "PerformedProcedureStepStartDate": "20261120",
    "PerformedProcedureStepStartTime": "1015",
    "ScheduledStepAttributesSequence": [{"StudyInstanceUID": STUDY, "AccessionNumber": "A1"}],
}


def resources(made: Any) -> dict[str, Any]:
    return {draft.resource["resourceType"]: draft.resource for draft in made.drafts}


def test_a_step_that_begins_names_procedure_patient_and_study() -> None:
    told = resources(created(UID, VALUES, CONFIG))
    assert set(told) == {"Patient", "Procedure", "ImagingStudy"}
    procedure = told["Procedure"]
    assert procedure["identifier"] == [{"system": "urn:dicom:uid", "value": f"urn:oid:{UID}"}]
    assert (procedure["status"], procedure["performedPeriod"]) == (
        "in-progress",
        {"start": "2026-11-20T10:15:00+01:00"},
    )
    assert procedure["basedOn"][0]["identifier"]["value"] == "A1"
    assert told["ImagingStudy"]["status"] == "registered"
    assert query(UID) == f"identifier=urn:dicom:uid|urn:oid:{UID}"


def test_an_unscheduled_step_has_no_study() -> None:
    values = {name: value for name, value in VALUES.items() if name != "ScheduledStepAttributesSequence"}
    assert set(resources(created(UID, values, CONFIG))) == {"Patient", "Procedure"}


@pytest.mark.parametrize("told", [{}, {"PerformedProcedureStepStatus": "COMPLETED"}])
def test_a_step_begins_in_progress(told: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        created(UID, {"PatientID": "1", **told}, CONFIG)
    assert refused.value.status == 0x0106


@pytest.mark.parametrize(
    ("told", "status"),
    [("IN PROGRESS", "in-progress"), ("COMPLETED", "completed"), ("DISCONTINUED", "stopped")],
)
def test_a_change_says_the_status(told: str, status: str) -> None:
    values = {"PerformedProcedureStepStatus": told, "PerformedProcedureStepEndDate": "20261120"}
    stored = {
        "resourceType": "Procedure",
        "status": "in-progress",
        "performedPeriod": {"start": "2026-11-19"},
    }
    [draft] = changed(UID, values, CONFIG, stored).drafts
    assert draft.resource["status"] == status
    assert draft.adjust is not None
    merged = draft.adjust(stored, draft.resource, draft.resource, True)
    assert merged["performedPeriod"] == {"start": "2026-11-19", "end": "2026-11-20"}


@pytest.mark.parametrize(("stored", "told", "status"), [
    ("completed", "COMPLETED", 0x0110), ("stopped", "COMPLETED", 0x0110), ("in-progress", "DONE", 0x0106),
])  # fmt: skip
def test_a_change_that_cannot_be_is_refused(stored: str, told: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        changed(UID, {"PerformedProcedureStepStatus": told}, CONFIG, {"status": stored})
    assert refused.value.status == status
