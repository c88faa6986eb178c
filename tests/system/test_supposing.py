"""A transaction with a key begins without a look at what it says is new; where that is wrong, nothing of it shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from fhir_server.app import open_context, open_store
from fhir_server.context import Context
from fhir_server.settings import Settings
from fhir_server.submit import submitter
from importers.submit import Sender
from resources.outcome import FHIRError

SENDER = Sender(software="test")


@pytest_asyncio.fixture(loop_scope="session")
async def ctx(mongod_uri: str, database_name: str) -> AsyncIterator[Context]:
    settings = Settings(mongodb_uri=SecretStr(mongod_uri), mongodb_database=database_name)
    store = open_store(settings)
    yield await open_context(settings, store)
    await store.close()


def put(logical_id: str, family: str, **request: str) -> dict[str, Any]:
    resource = {"resourceType": "Patient", "id": logical_id, "name": [{"family": family}]}
    entry = {"resource": resource, "request": {"method": "PUT", "url": f"Patient/{logical_id}", **request}}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}


async def versions(ctx: Context) -> list[tuple[str, int, str]]:
    found = await ctx.store.find("Patient", {}, sort=[("_id", 1)])
    return [(each["_id"], each["v"], each["r"]["name"][0]["family"]) for each in found if "r" in each]


@pytest.mark.parametrize("plain", [True, False])
async def test_what_is_new_is_written(ctx: Context, plain: bool) -> None:
    submit = submitter(ctx, plain=plain)
    assert await submit(put("a", "A", ifNoneMatch="*"), SENDER, "k1") is not None
    assert await versions(ctx) == [("a", 1, "A")]
    assert await submit(put("a", "B", ifNoneMatch="*"), SENDER, "k1") is None
    assert await versions(ctx) == [("a", 1, "A")]


@pytest.mark.parametrize("plain", [True, False])
async def test_what_is_there_after_all_is_told(ctx: Context, plain: bool) -> None:
    submit = submitter(ctx, plain=plain)
    await submit(put("a", "A"), SENDER)
    with pytest.raises(FHIRError) as refused:
        await submit(put("a", "B", ifNoneMatch="*"), SENDER, "k2")
    assert refused.value.status == 412
    assert await versions(ctx) == [("a", 1, "A")]


async def test_a_put_of_what_is_there_is_a_new_version(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(put("a", "A"), SENDER)
    await submit(put("a", "B"), SENDER, "k3")
    assert await versions(ctx) == [("a", 2, "B")]


async def test_what_was_deleted_comes_back_under_its_next_version(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(put("a", "A"), SENDER)
    delete = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": "Patient/a"}}],
    }
    await submit(delete, SENDER)
    await submit(put("a", "B", ifNoneMatch="*"), SENDER, "k4")
    assert await versions(ctx) == [("a", 3, "B")]


async def test_what_was_done_before_is_not_refused_for_what_it_changed_itself(ctx: Context) -> None:
    submit = submitter(ctx)
    await submit(put("a", "A"), SENDER)
    assert await submit(put("a", "B", ifMatch='W/"1"'), SENDER, "k5") is not None
    assert await submit(put("a", "B", ifMatch='W/"1"'), SENDER, "k5") is None
    assert await versions(ctx) == [("a", 2, "B")]
    with pytest.raises(FHIRError) as refused:
        await submit(put("a", "C", ifMatch='W/"1"'), SENDER, "k6")
    assert refused.value.status == 412


async def test_of_many_at_once_one_that_is_wrong_does_no_harm(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(put("p0", "there"), SENDER)
    asked = [submit(put(f"p{n}", f"N{n}", ifNoneMatch="*"), SENDER, f"m{n}") for n in range(20)]
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(done[0], FHIRError)
    assert done[0].status == 412
    assert all(isinstance(each, dict) for each in done[1:])
    stored = {name: family for name, _, family in await versions(ctx)}
    assert stored == {"p0": "there"} | {f"p{n}": f"N{n}" for n in range(1, 20)}
    events = await ctx.store.count(
        "AuditEvent", {"r.entity.what.reference": {"$regex": "^Patient/p[0-9]+/_history/1$"}}
    )
    assert events == 20


async def test_of_two_that_make_the_same_at_once_one_does(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    asked = [submit(put("a", f"N{n}", ifNoneMatch="*"), SENDER, f"n{n}") for n in range(2)]
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(isinstance(each, FHIRError) for each in done) == [False, True]
    assert [(name, version) for name, version, _ in await versions(ctx)] == [("a", 1)]


async def test_of_two_that_change_the_same_version_at_once_one_does(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(put("a", "A"), SENDER)
    asked = [submit(put("a", f"N{n}", ifMatch='W/"1"'), SENDER, f"o{n}") for n in range(4)]
    done = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each for each in done if isinstance(each, FHIRError)]
    assert [each.status for each in refused] == [412] * 3
    assert [version for _, version, _ in await versions(ctx)] == [2]


async def test_what_refers_by_criteria_is_performed_by_itself(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    identifier = [{"system": "urn:a", "value": "1"}]
    patient = {"resourceType": "Patient", "id": "a", "identifier": identifier, "name": [{"family": "A"}]}
    visit = {
        "resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"},
        "subject": {"reference": "Patient?identifier=urn:a|1"},
    }  # fmt: skip
    entries = [
        {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
        for each in (patient, visit)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert await submit(bundle, SENDER, "q") is not None
    [stored] = await ctx.store.find("Encounter", {})
    assert stored["r"]["subject"] == {"reference": "Patient/a"}
