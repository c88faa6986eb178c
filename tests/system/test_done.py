from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from pydantic import SecretStr

from fhir_server.app import open_context, open_store
from fhir_server.context import Context, FhirRequest
from fhir_server.settings import Settings
from fhir_server.submit import submitter
from fhir_server.system.dispatch import answer
from fhir_server.system.done import done, entry_key
from importers.submit import Sender

PATIENT: dict[str, Any] = {"resourceType": "Patient", "active": True}
INVALID: dict[str, Any] = {"resourceType": "Patient", "active": "yes"}


@pytest_asyncio.fixture(loop_scope="session")
async def ctx(mongod_uri: str, database_name: str) -> AsyncIterator[Context]:
    settings = Settings(mongodb_uri=SecretStr(mongod_uri), mongodb_database=database_name)
    store = open_store(settings)
    yield await open_context(settings, store)
    await store.close()


def bundle(kind: str, *resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"resource": each, "request": {"method": "POST", "url": "Patient"}} for each in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


async def patients(ctx: Context) -> int:
    return len(await ctx.store.find("Patient", {}))


def create(key: str | None) -> FhirRequest:
    return FhirRequest(interaction="create", resource_type="Patient", resource=PATIENT, key=key)


async def test_a_create_is_done_once_under_a_key_and_always_without(ctx: Context) -> None:
    first, second = await answer(ctx, create("k")), await answer(ctx, create("k"))
    assert (first.status, first.repeated, second.status, second.repeated) == (201, False, 200, True)
    assert await patients(ctx) == 1
    for key in ("l", None, None):
        assert (await answer(ctx, create(key))).status == 201
    assert await patients(ctx) == 4


async def test_many_at_once_under_one_key_are_one(ctx: Context) -> None:
    answers = await asyncio.gather(*(answer(ctx, create("k")) for _ in range(40)))
    assert [each.repeated for each in answers].count(False) == 1
    assert await patients(ctx) == 1


async def test_a_transaction_is_done_once_also_by_many_at_once(ctx: Context) -> None:
    submit = submitter(ctx)
    asked = bundle("transaction", PATIENT, PATIENT)
    answers = await asyncio.gather(*(submit(asked, Sender(), "k") for _ in range(8)))
    assert [each is None for each in answers].count(False) == 1
    assert await patients(ctx) == 2
    assert await done(ctx.store, ["k", "other"]) == {"k"}


async def test_of_a_batch_what_failed_is_done_again_and_nothing_else(ctx: Context) -> None:
    submit = submitter(ctx)
    await submit(bundle("batch", PATIENT, INVALID, PATIENT), Sender(), "k")
    assert await patients(ctx) == 2
    again = await submit(bundle("batch", PATIENT, PATIENT, PATIENT), Sender(), "k")
    assert again is not None
    assert [entry["response"]["status"][:3] for entry in again["entry"]] == ["200", "201", "200"]
    assert await patients(ctx) == 3


async def test_what_is_refused_leaves_no_mark(ctx: Context) -> None:
    submit = submitter(ctx)
    refused = await asyncio.gather(
        submit(bundle("transaction", INVALID), Sender(), "k"), return_exceptions=True
    )
    assert isinstance(refused[0], Exception)
    assert await done(ctx.store, ["k"]) == set()
    assert await submit(bundle("transaction", PATIENT), Sender(), "k") is not None


async def test_a_conditional_create_that_finds_something_is_done_too(ctx: Context) -> None:
    await answer(ctx, create(None))
    for repeated in (False, True):
        request = create("k")
        request.if_none_exist = "active=true"
        assert (await answer(ctx, request)).repeated is repeated
    assert await patients(ctx) == 1


def test_entries_have_keys_of_their_own_or_none() -> None:
    assert entry_key("k", 3) == "k/3"
    assert entry_key(None, 3) is None
