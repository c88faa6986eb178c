"""What importers look up: exact, together, and without a trace of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from fhir_server.app import open_context, open_store
from fhir_server.context import Context
from fhir_server.find import finder
from fhir_server.settings import Settings
from fhir_server.submit import submitter
from importers.submit import Sender
from resources.outcome import FHIRError


@pytest_asyncio.fixture(loop_scope="session")
async def ctx(mongod_uri: str, database_name: str) -> AsyncIterator[Context]:
    settings = Settings(mongodb_uri=SecretStr(mongod_uri), mongodb_database=database_name)
    store = open_store(settings)
    ctx = await open_context(settings, store)
    entries = []
    for number in range(4):
        identifier = [{"system": "urn:a", "value": str(number)}, {"system": "urn:b", "value": "all"}]
        patient = {"resourceType": "Patient", "id": f"p{number}", "identifier": identifier}
        entries.append({"resource": patient, "request": {"method": "PUT", "url": f"Patient/p{number}"}})
    visit = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p1"},
    }
    entries.append({"resource": visit, "request": {"method": "PUT", "url": "Encounter/e1"}})
    await submitter(ctx)({"resourceType": "Bundle", "type": "transaction", "entry": entries}, Sender())
    yield ctx
    await store.close()


def ids(found: list[list[dict[str, Any]]]) -> list[list[str]]:
    return [sorted(each["id"] for each in some) for some in found]


async def test_each_query_has_its_own_answer(ctx: Context) -> None:
    find = finder(ctx)
    found = await find(
        [
            ("Patient", "identifier=urn:a|1"),
            ("Patient", "identifier=urn:a|2,urn:a|3"),
            ("Patient", "identifier=urn:b|all"),
            ("Patient", "identifier=urn:a|9"),
            ("Patient", "_id=p0,p1"),
            ("Encounter", "subject=Patient/p1&status=finished"),
            ("Observation", "identifier=urn:a|1"),
        ]
    )
    assert ids(found) == [["p1"], ["p2", "p3"], ["p0", "p1", "p2", "p3"], [], ["p0", "p1"], ["e1"], []]
    assert found[0][0]["meta"]["versionId"] == "1"
    assert await find([]) == []


async def test_many_at_once(ctx: Context) -> None:
    find = finder(ctx)
    asked = [[("Patient", f"identifier=urn:a|{n % 4}"), ("Encounter", "_id=e1")] for n in range(60)]
    found = await asyncio.gather(*map(find, asked))
    assert [ids(each) for each in found] == [[[f"p{n % 4}"], ["e1"]] for n in range(60)]


async def test_nothing_is_audited(ctx: Context) -> None:
    before = await ctx.store.count("AuditEvent", {})
    await finder(ctx)([("Patient", "identifier=urn:a|1")])
    assert await ctx.store.count("AuditEvent", {}) == before


async def test_what_is_deleted_is_not_found(ctx: Context) -> None:
    delete = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": "Patient/p3"}}],
    }
    await submitter(ctx)(delete, Sender())
    assert ids(await finder(ctx)([("Patient", "identifier=urn:b|all")])) == [["p0", "p1", "p2"]]


@pytest.mark.parametrize(
    "query", ["nonsense=1", "organization.name=x", "identifier", "_has:Observation:patient:code=1"]
)
async def test_what_cannot_be_asked(ctx: Context, query: str) -> None:
    with pytest.raises(FHIRError) as refused:
        await finder(ctx)([("Patient", query)])
    assert refused.value.status == 400
