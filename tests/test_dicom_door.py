"""The DICOM listener on a real server: C-STORE and MPPS end in FHIR."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from fhir_server.dicom_door import DicomDoor
from importers.dicom.mpps import SOP_CLASS
from tests.importers.dicom.dimse.sending import ROOT, associated, image, nothing_left_open, status
from tests.rest.conftest import running
from tests.rest.dicom import another_server

Json = dict[str, Any]


collected = pytest.fixture(autouse=True)(nothing_left_open)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fhir(mongod_uri: str, module_database_name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(mongod_uri, module_database_name) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def port(mongod_uri: str, module_database_name: str, fhir: httpx.AsyncClient) -> AsyncIterator[int]:
    """Where the door of another process on the same database listens."""
    async with another_server(mongod_uri, module_database_name) as ctx:
        door = DicomDoor(ctx, CollectorRegistry())
        yield door.open()
        await door.close()


async def found(fhir: httpx.AsyncClient, query: str) -> list[Json]:
    answer = (await fhir.get(query)).raise_for_status().json()
    return [each["resource"] for each in answer.get("entry", ())]


async def test_what_several_associations_store_is_in_one_study(fhir: httpx.AsyncClient, port: int) -> None:
    def send(series: int) -> set[int | None]:
        with associated(port, ae=f"CT{series}") as association:
            return {status(association.send_c_store(image(n, series=series))) for n in range(10)}

    sent = await asyncio.gather(*(asyncio.to_thread(send, series) for series in range(4)))
    assert set().union(*sent) == {0xB006}
    [study] = await found(fhir, f"ImagingStudy?identifier=urn:dicom:uid|urn:oid:{ROOT}.1")
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (4, 40)


async def test_a_correction_and_a_foreign_patient_have_their_statuses(port: int) -> None:
    def send() -> list[int | None]:
        with associated(port) as association:
            return [
                status(association.send_c_store(image(1, study=2))),
                status(association.send_c_store(image(1, study=2))),
                status(association.send_c_store(image(1, study=2, SeriesDescription="Other"))),
                status(association.send_c_store(image(2, study=2, PatientID="other"))),
            ]

    assert await asyncio.to_thread(send) == [0xB006, 0xB006, 0xB000, 0x0110]


def step(**told: Any) -> Any:
    dataset: Any = Dataset()
    for name, value in told.items():
        setattr(dataset, name, value)
    return dataset


def begun(study: int) -> Any:
    scheduled = step(StudyInstanceUID=f"{ROOT}.{study}", AccessionNumber=f"A{study}")
    return step(
        PatientID="4711", PatientName="Muster^Erika", PatientBirthDate="", PatientSex="F", Modality="CT",
        PerformedProcedureStepID="P1", PerformedProcedureStepStatus="IN PROGRESS",
        PerformedProcedureStepStartDate="20261120", PerformedProcedureStepStartTime="101500",
        TimezoneOffsetFromUTC="+0100", PerformedProcedureStepDescription="CT Abdomen",
        ScheduledStepAttributesSequence=[scheduled],
    )  # fmt: skip


async def test_a_performed_procedure_step_becomes_a_procedure(fhir: httpx.AsyncClient, port: int) -> None:
    uid = f"{ROOT}.500.1"

    def send(*requests: Any) -> list[int | None]:
        syntaxes = (str(ExplicitVRLittleEndian),)
        with associated(port, classes=(SOP_CLASS,), syntaxes=syntaxes) as association:
            return [status(each(association)[0]) for each in requests]

    ended = step(
        PerformedProcedureStepStatus="COMPLETED", PerformedProcedureStepEndDate="20261120",
        PerformedProcedureStepEndTime="103000", TimezoneOffsetFromUTC="+0100",
    )  # fmt: skip
    create = lambda association: association.send_n_create(begun(5), SOP_CLASS, uid)  # noqa: E731
    change = lambda association: association.send_n_set(ended, SOP_CLASS, uid)  # noqa: E731
    assert await asyncio.to_thread(send, change, create, create) == [0x0112, 0, 0x0111]
    [procedure] = await found(fhir, f"Procedure?identifier=urn:dicom:uid|urn:oid:{uid}")
    assert procedure["status"] == "in-progress"
    assert procedure["performedPeriod"] == {"start": "2026-11-20T10:15:00+01:00"}
    assert procedure["code"] == {"text": "CT Abdomen"}
    [study] = await found(fhir, f"ImagingStudy?identifier=urn:dicom:uid|urn:oid:{ROOT}.5")
    assert study["status"] == "registered"
    assert study["subject"] == procedure["subject"]
    assert await asyncio.to_thread(send, change, change) == [0, 0x0110]
    [procedure] = await found(fhir, f"Procedure?identifier=urn:dicom:uid|urn:oid:{uid}")
    assert procedure["status"] == "completed"
    assert procedure["performedPeriod"] == {
        "start": "2026-11-20T10:15:00+01:00",
        "end": "2026-11-20T10:30:00+01:00",
    }

    def store() -> int | None:
        with associated(port) as association:
            return status(association.send_c_store(image(1, study=5)))

    assert await asyncio.to_thread(store) == 0xB006
    [study] = await found(fhir, f"ImagingStudy?identifier=urn:dicom:uid|urn:oid:{ROOT}.5")
    assert (study["status"], study["numberOfInstances"]) == ("available", 1)


async def test_a_step_that_begins_with_its_end_is_refused(port: int) -> None:
    def send() -> int | None:
        with associated(port, classes=(SOP_CLASS,)) as association:
            told = step(PatientID="1", PerformedProcedureStepStatus="COMPLETED")
            return status(association.send_n_create(told, SOP_CLASS, f"{ROOT}.500.2")[0])

    assert await asyncio.to_thread(send) == 0x0106
