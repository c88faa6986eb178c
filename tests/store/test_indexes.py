"""Collections come into being once, whoever asks, and an outage is not a queue."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from fhir_server.store.faults import translated
from fhir_server.store.indexes import CURATED, DONE, HISTORY, WITHOUT_WILDCARD
from fhir_server.store.store import Store
from resources.outcome import FHIRError
from tests.store.conftest import Faults, opened, patient, write


async def names_of_indexes(store: Store, name: str) -> set[str]:
    return set(await store.database[name].index_information())


async def test_several_servers_at_once(mongod_uri: str, database_name: str) -> None:
    types = ["Patient", "Observation", "Encounter", DONE]
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(mongod_uri, database_name)) for _ in range(4)]
        await asyncio.gather(*(store.collections.ensure(name) for store in stores for name in types * 2))
        assert await names_of_indexes(stores[0], "Patient") == {"_id_", "t", "s"}
        assert await names_of_indexes(stores[0], "Observation") == {"_id_", "t", "s", "subject+code"}
        assert await names_of_indexes(stores[0], "Encounter" + HISTORY) == {"_id_", "t"}
        assert DONE + HISTORY not in await stores[0].database.list_collection_names()


async def test_events_have_their_compound_indexes_and_no_other(store: Store) -> None:
    assert "AuditEvent" in WITHOUT_WILDCARD
    curated = {index.document["name"] for index in CURATED["AuditEvent"]}
    assert await names_of_indexes(store, "AuditEvent") == {"_id_", "t"} | curated


async def test_first_writes_of_several_servers_at_once(mongod_uri: str, database_name: str) -> None:
    async with opened(mongod_uri, database_name) as one, opened(mongod_uri, database_name) as two:
        await asyncio.gather(*(write(store, patient()) for store in (one, two) for _ in range(20)))
        assert await one.count("Patient", {}) == 40
        assert await one.count("AuditEvent", {}) == 40


async def test_all_who_wait_share_one_failure_and_the_next_tries_again(
    failing: Store, faults: Faults
) -> None:
    faults.inject("create", closeConnection=True)
    started = time.monotonic()
    ends = await asyncio.gather(
        *(failing.collections.ensure("Account") for _ in range(50)), return_exceptions=True
    )
    assert time.monotonic() - started < 5
    meant = [translated(end) for end in ends if isinstance(end, BaseException)]
    assert [one.status for one in meant if isinstance(one, FHIRError)] == [503] * 50
    faults.end()
    await failing.collections.ensure("Account")
    assert "s" in await names_of_indexes(failing, "Account")


async def test_who_is_cancelled_does_not_stop_the_others(failing: Store, faults: Faults) -> None:
    faults.inject("create", times=1, blockConnection=True, blockTimeMS=300)
    waiting = [asyncio.create_task(failing.collections.ensure("Account")) for _ in range(3)]
    await asyncio.sleep(0.1)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    await asyncio.gather(*waiting[1:])
    assert "s" in await names_of_indexes(failing, "Account")
