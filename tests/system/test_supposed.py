"""A transaction with a key begins without a look at what it says is new; where that is wrong, nothing of it shows."""

from __future__ import annotations

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
