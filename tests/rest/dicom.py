"""Instances of DICOM made up for tests, and a server's own way to take them, without a door in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from fhir_server.app import open_context, open_store
from fhir_server.context import Context
from fhir_server.dicom import with_dicom
from fhir_server.settings import Settings
from importers.dicom.arrivals import Outcome
from importers.dicom.dicom import Dicom
from importers.dicom.header import Header
from importers.dicom.sources import SourceConfig, Sources

CT = "1.2.840.10008.5.1.4.1.1.2"
ROOT = "1.2.826.0.1.3680043.8.498"


def study_uid(number: int = 1) -> str:
    return f"{ROOT}.{number}"


def header(number: int, *, study: int = 1, series: int = 1, patient: str = "4711", **values: Any) -> Header:
    """Instance `number` of a series of CT images of a patient."""
    study_, series_ = study_uid(study), f"{study_uid(study)}.{series}"
    told = {
        "SOPClassUID": CT,
        "SOPInstanceUID": f"{series_}.{number}",
        "StudyInstanceUID": study_,
        "SeriesInstanceUID": series_,
        "Modality": "CT",
        "PatientID": patient,
        "PatientName": {"alphabetic": "Muster^Erika"},
        "StudyDate": "20261120",
        "InstanceNumber": number,
        **values,
    }
    if not patient:
        told.pop("PatientID")
    return Header(study_, series_, told["SOPInstanceUID"], CT, "1.2.840.10008.1.2.1", told)


def headers(numbers: Iterable[int], **told: Any) -> list[Header]:
    return [header(number, **told) for number in numbers]


@asynccontextmanager
async def another_server(
    mongod_uri: str, database: str, sources: Sources | None = None, **settings: Any
) -> AsyncIterator[Context]:
    """What another process on the same database has at hand for DICOM."""
    chosen = Settings(mongodb_uri=SecretStr(mongod_uri), mongodb_database=database, **settings)
    store = open_store(chosen)
    try:
        yield with_dicom(await open_context(chosen, store), sources or Sources())
    finally:
        await store.close()


def dicom_of(ctx: Context) -> Dicom:
    assert ctx.dicom is not None
    return ctx.dicom


async def taken(ctx: Context, some: Iterable[Header], source: SourceConfig | None = None) -> list[Outcome]:
    """As a door hands them over."""
    return await dicom_of(ctx).arrivals.add(list(some), source or SourceConfig())
