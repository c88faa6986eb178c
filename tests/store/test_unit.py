"""What a unit of work sees and what it writes."""

from __future__ import annotations

import asyncio

import pytest

from fhir_server.store.documents import tombstone
from fhir_server.store.store import Store
from resources.outcome import FHIRError, conflict
from tests.store.conftest import counted, event, opened, patient, write


async def test_it_sees_what_it_staged(store: Store) -> None:
    stored = patient("p")
    async with store.unit() as unit:
        assert await unit.current("Patient", "p") is None
        unit.stage("Patient", stored)
        assert await unit.current("Patient", "p") is stored
        assert unit.stages("Patient", "p")
        assert not unit.stages_deletion("Patient", "p")
        unit.stage("Patient", tombstone("p", 2, stored["t"]), stored)
        assert not unit.stages("Patient", "p")
        assert unit.stages_deletion("Patient", "p")


async def test_what_was_prefetched_is_not_read_again(store: Store) -> None:
    stored = patient("p")
    await write(store, stored)
    async with store.unit(transaction=True) as unit:
        await unit.prefetch("Patient", ["p", "q"])
        await write(store, patient("q"))
        assert (await unit.current("Patient", "p") or {})["v"] == 1
        assert await unit.current("Patient", "q") is None


async def test_a_transaction_finds_what_it_sent_and_nobody_else_does(store: Store) -> None:
    async with store.unit(transaction=True, types=["Patient"]) as unit:
        unit.stage("Patient", patient("p"))
        await unit.send()
        assert len(await unit.find("Patient", {"_id": "p"})) == 1
        assert await store.read("Patient", "p") is None
        unit.record(event())
        await unit.commit()
    assert await counted(store) == (1, 1)


async def test_a_transaction_sees_one_moment(store: Store) -> None:
    stored = patient("p")
    await write(store, stored)
    async with store.unit(transaction=True, types=["Patient"]) as unit:
        assert len(await unit.find("Patient", {})) == 1
        await write(store, patient("q"))
        assert len(await unit.find("Patient", {})) == 1
    assert await store.count("Patient", {}) == 2


async def test_a_broken_expectation_names_its_place_and_undoes_everything(store: Store) -> None:
    async def never() -> None:
        raise conflict("no")

    async def writing() -> None:
        async with store.unit(transaction=True, types=["Patient"]) as unit:
            unit.stage("Patient", patient())
            unit.where = "Bundle.entry[3].resource"
            unit.expect(never)
            unit.where = "Bundle.entry[4].resource"
            await unit.commit()

    with pytest.raises(FHIRError) as caught:
        await writing()
    assert caught.value.issues[0].expression == ("Bundle.entry[3].resource",)
    assert await counted(store) == (0, 0)


async def test_what_is_acknowledged_is_seen_by_all_servers_at_once(
    mongod_uri: str, database_name: str
) -> None:
    """Reads at read concern majority, transactions on snapshots: neither lags behind an answer."""
    async with opened(mongod_uri, database_name) as one, opened(mongod_uri, database_name) as two:

        async def told(number: int) -> None:
            stored = patient(f"p{number}")
            await write(one, stored)
            assert await two.read("Patient", stored["_id"]) is not None
            async with two.unit(transaction=True) as unit:
                assert await unit.current("Patient", stored["_id"]) is not None

        for turn in range(5):
            await asyncio.gather(*(told(number + 20 * turn) for number in range(20)))
