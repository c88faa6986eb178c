"""Collections come into being once, whoever asks, and an outage is not a queue."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from capability.indexes import CURATED, WITHOUT_WILDCARD
from fhir_server.store.documents import Document
from fhir_server.store.faults import translated
from fhir_server.store.indexes import DONE, HISTORY, SMALL, indexes_of
from fhir_server.store.store import Store
from resources.outcome import FHIRError
from tests.store.conftest import Faults, opened, patient, write


async def names_of_indexes(store: Store, name: str) -> set[str]:
    return set(await store.database[name].index_information())


async def test_several_servers_at_once(mongod_uri: str, database_name: str) -> None:
    types = ["Account", "Observation", "Encounter", DONE]
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(mongod_uri, database_name)) for _ in range(4)]
        await asyncio.gather(*(store.collections.ensure(name) for store in stores for name in types * 2))
        assert await names_of_indexes(stores[0], "Account") == {"_id_", "t", "s"}
        curated = {index.name for index in CURATED["Observation"]}
        assert await names_of_indexes(stores[0], "Observation") == {"_id_", "t", "values"} | curated
        assert await names_of_indexes(stores[0], "Encounter" + HISTORY) == {"_id_", "t"}
        assert DONE + HISTORY not in await stores[0].database.list_collection_names()


async def test_events_have_their_compound_indexes_and_no_other(store: Store) -> None:
    assert "AuditEvent" in WITHOUT_WILDCARD
    curated = {index.name for index in CURATED["AuditEvent"]}
    assert await names_of_indexes(store, "AuditEvent") == {"_id_", "t"} | curated


async def test_an_event_is_in_an_index_only_with_what_it_can_be_found_by(store: Store) -> None:
    """Each event says who it was, most of them only in words: null, which nobody asks for."""
    some: list[Document] = [
        {"agent": None},
        {"agent": "Practitioner/1"},
        {"agent": ["Device/1", "Device/2"]},
        {},
    ]
    collection = store.database["AuditEvent"]
    await collection.insert_many([{"_id": str(n), "s": values} for n, values in enumerate(some)])
    told = await store.database.command("validate", "AuditEvent")
    assert told["keysPerIndex"]["agent+date"] == 3
    assert told["keysPerIndex"]["entity+date"] == 0
    asked = {"s.agent": {"$in": ["Practitioner/1", "Device/2"]}}
    plan = await collection.find(asked).sort([("s.date.s", -1), ("_id", -1)]).explain()
    assert "agent+date" in str(plan["queryPlanner"]["winningPlan"])
    assert await collection.count_documents(asked) == 2


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


async def test_what_differs_is_told_and_mended(store: Store) -> None:
    await store.collections.ensure("Encounter")
    encounters = store.database["Encounter"]
    await encounters.drop_index("location")
    await encounters.drop_index("status")
    await encounters.create_index("s.status", name="status")
    await encounters.create_index("s.class", name="by hand")
    (found,) = await store.collections.drifts()
    assert found.told() == {
        "collection": "Encounter", "missing": ["location"], "different": ["status"], "extra": ["by hand"]
    }  # fmt: skip
    await store.collections.mend(found)
    assert await store.collections.drifts() == []
    assert await names_of_indexes(store, "Encounter") == {
        each.document["name"] for each in indexes_of("Encounter")
    } | {"_id_"}


async def test_an_index_by_another_name_serves_as_well(store: Store) -> None:
    await store.collections.ensure("Encounter")
    (location,) = (each for each in CURATED["Encounter"] if each.name == "location")
    await store.database["Encounter"].drop_index("location")
    await store.database["Encounter"].create_index(list(location.keys), name="of old")
    assert await store.collections.drifts() == []


async def test_a_start_makes_what_is_missing_without_waiting_for_it(
    mongod_uri: str, database_name: str
) -> None:
    async with opened(mongod_uri, database_name) as before:
        await before.collections.ensure("Encounter")
        await before.database["Encounter"].drop_index("location")
        await before.database["Encounter"].insert_many(
            [{"s": {"location": f"Location/{n}"}} for n in range(SMALL + 1)]
        )
    async with opened(mongod_uri, database_name) as store:
        await store.collections.ensure("Encounter")
        async with asyncio.timeout(30):
            while "location" not in await names_of_indexes(store, "Encounter"):
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("count", [1, SMALL + 1])
async def test_an_index_that_cannot_be_made_stops_nothing(
    mongod_uri: str, database_name: str, count: int
) -> None:
    """MongoDB cannot index two lists in one: another program's documents must not stand in the way of ours."""
    async with opened(mongod_uri, database_name) as before:
        parallel = {"patient": ["Patient/1", "Patient/2"], "status": ["a", "b"]}
        await before.database["MedicationRequest"].insert_many([{"s": parallel} for _ in range(count)])
    async with opened(mongod_uri, database_name) as store:
        await store.collections.ensure("MedicationRequest")
        made = {each.document["name"] for each in indexes_of("MedicationRequest")} - {"patient+status"}
        async with asyncio.timeout(30):
            while await names_of_indexes(store, "MedicationRequest") != {"_id_"} | made:
                await asyncio.sleep(0.05)
