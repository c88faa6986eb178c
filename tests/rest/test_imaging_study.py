"""ImagingStudy made of instances of DICOM: few versions, all that was acknowledged, whoever sent it in whatever order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from fhir_server.context import Context
from tests.rest.conftest import running
from tests.rest.dicom import another_server, header, headers, study_uid, taken

Json = dict[str, Any]
QUICK = {"dicom_first_seconds": 0.1, "dicom_quiet_seconds": 0.5}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(module_database_name: str) -> str:
    return module_database_name


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(mongod_uri: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(mongod_uri, database, **QUICK) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ctx(mongod_uri: str, database: str) -> AsyncIterator[Context]:
    """A process of its own that takes instances: it has no part in folding."""
    async with another_server(mongod_uri, database) as ctx:
        yield ctx


async def found(client: httpx.AsyncClient, number: int) -> list[Json]:
    answer = await client.get(
        "ImagingStudy", params={"identifier": f"urn:dicom:uid|urn:oid:{study_uid(number)}"}
    )
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


async def the(client: httpx.AsyncClient, number: int) -> Json:
    [study] = await found(client, number)
    return study


def listed(study: Json) -> set[str]:
    return {each["uid"] for series in study["series"] for each in series.get("instance", ())}


async def test_an_instance_becomes_a_study_of_a_patient(server: httpx.AsyncClient, ctx: Context) -> None:
    [outcome] = await taken(ctx, [header(1, study=1)])
    assert outcome.status == "stored"
    study = await the(server, 1)
    assert (study["status"], study["numberOfSeries"], study["numberOfInstances"]) == ("available", 1, 1)
    assert listed(study) == {outcome.sop_uid}
    read = (await server.get(f"ImagingStudy/{study['id']}")).json()
    assert read == study
    patient = (await server.get(study["subject"]["reference"])).json()
    assert patient["identifier"][0]["value"] == "4711"


async def test_the_same_again_changes_nothing(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, headers(range(20), study=2))
    before = await the(server, 2)
    again = headers(range(20), study=2)
    random.Random(1).shuffle(again)
    assert {each.status for each in await taken(ctx, [*again, *again])} == {"same"}
    assert await the(server, 2) == before
