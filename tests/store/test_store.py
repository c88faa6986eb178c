"""Reads, units of work and group commits on a real MongoDB."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fhir_server.store.documents import Document, tombstone
from fhir_server.store.faults import WriteConflict
from fhir_server.store.indexes import HISTORY
from fhir_server.store.store import Store
from resources.outcome import FHIRError
from tests.store.conftest import Faults, counted, event, opened, patient, write


def newer(old: Document, **members: Any) -> Document:
    """The next version of a stored Patient."""
    return patient(old["_id"], old["v"] + 1, **members)


async def test_concurrent_reads_find_theirs(store: Store) -> None:
    stored = [patient() for _ in range(300)]
    await asyncio.gather(*(write(store, one) for one in stored))
    found = await asyncio.gather(
        *(store.read("Patient", one["_id"]) for one in stored), store.read("Patient", "no")
    )
    assert [one and one["_id"] for one in found] == [*(one["_id"] for one in stored), None]
    assert await store.read("Account", stored[0]["_id"]) is None


async def test_in_a_group_only_who_conflicts_fails(store: Store) -> None:
    existing = patient("taken")
    await write(store, existing)
    await write(store, newer(existing), existing)
    units = [
        write(store, patient()),
        write(store, patient("taken")),  # exists
        write(store, patient()),
        write(store, newer(existing, active=True), existing),  # superseded meanwhile
        write(store, patient()),
    ]
    ends = await asyncio.gather(*units, return_exceptions=True)
    assert [type(end) for end in ends] == [type(None), WriteConflict, type(None), WriteConflict, type(None)]
    assert await counted(store) == (4, 5)


@pytest.mark.parametrize("size", [16 * 2**20 - 100, 16 * 2**20 + 20_000, 50 * 2**20])
async def test_in_a_group_only_what_is_too_large_is_refused(store: Store, size: int) -> None:
    """Just above the limit of documents, above that of replies, above that of messages."""
    large = patient(text="x" * size)
    ends = await asyncio.gather(
        write(store, patient()), write(store, large), write(store, patient()), return_exceptions=True
    )
    assert ends[0] is ends[2] is None
    assert isinstance(ends[1], FHIRError)
    assert ends[1].status == 413
    assert await counted(store) == (2, 2)


async def test_an_update_that_is_too_large_is_refused_too(store: Store) -> None:
    stored = patient()
    await write(store, stored)
    for size in (16 * 2**20 - 100, 16 * 2**20 + 20_000):
        with pytest.raises(FHIRError) as caught:
            await write(store, newer(stored, text="x" * size), stored)
        assert caught.value.status == 413
    assert (await store.read("Patient", stored["_id"]) or {})["v"] == 1
    assert await store.count("Patient" + HISTORY, {}) == 0


async def test_nested_too_deeply_is_a_422_of_its_own(store: Store) -> None:
    deep: Any = "x"
    for _ in range(190):
        deep = [deep]
    ends = await asyncio.gather(
        write(store, patient(text=deep)), write(store, patient()), return_exceptions=True
    )
    assert isinstance(ends[0], FHIRError)
    assert ends[0].status == 422
    assert ends[1] is None


async def test_two_updates_of_one_resource_in_one_group(store: Store) -> None:
    stored = patient()
    await write(store, stored)
    ends = await asyncio.gather(
        *(write(store, newer(stored, active=active), stored) for active in (True, False)),
        return_exceptions=True,
    )
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "WriteConflict"]
    assert await counted(store) == (1, 2)


async def test_history_is_every_version_once_in_order(store: Store) -> None:
    version = patient("h")
    await write(store, version)
    for number in range(2, 6):
        version, previous = newer(version, language=f"x-{number}"), version
        await write(store, version, previous)
    await write(store, tombstone("h", 6, version["t"]), version)
    rows = await store.find("Patient" + HISTORY, {}, sort=[("_id", 1)])
    assert [row["_id"] for row in rows] == [{"id": "h", "v": number} for number in range(1, 6)]
    assert [row["r"]["meta"]["versionId"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert all(row["t"] <= row["until"] for row in rows)
    current = await store.read("Patient", "h")
    assert current is not None
    assert (current["v"], current["deleted"]) == (6, True)


async def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    async def failing() -> None:
        async with store.unit(transaction=True, types=["Patient"]) as unit:
            unit.stage("Patient", patient())
            unit.record(event())
            await unit.commit()
            raise LookupError

    with pytest.raises(LookupError):
        await failing()
    assert await counted(store) == (0, 0)


async def test_events_alone_are_appended(store: Store) -> None:
    async with store.unit() as unit:
        unit.record(event())
        await unit.commit()
    assert await counted(store) == (0, 1)
    async with store.unit() as unit:
        await unit.commit()


async def test_what_is_not_committed_is_not_written(store: Store) -> None:
    async with store.unit() as unit:
        unit.stage("Patient", patient())
        unit.record(event())
    assert await counted(store) == (0, 0)


async def test_units_with_a_common_lock_take_turns_on_any_server(mongod_uri: str, database_name: str) -> None:
    async def increment(store: Store) -> None:
        while True:
            try:
                async with store.unit(transaction=True, locks=["k"], types=["Patient"]) as unit:
                    if not await unit.find("Patient", {}):
                        unit.stage("Patient", patient())
                    unit.record(event())
                    await unit.commit()
                return
            except WriteConflict:
                await asyncio.sleep(0.001)

    async with opened(mongod_uri, database_name) as one, opened(mongod_uri, database_name) as two:
        await asyncio.gather(*(increment(store) for store in (one, two) for _ in range(15)))
        assert await counted(one) == (1, 30)


async def test_servers_share_one_secret(mongod_uri: str, database_name: str) -> None:
    async with opened(mongod_uri, database_name) as one, opened(mongod_uri, database_name) as two:
        told = await asyncio.gather(one.secret(b"1"), two.secret(b"2"), one.secret(b"3"))
    assert len(set(told)) == 1


# Cancellation: a deadline that passes, a server that stops


async def test_a_group_that_commits_is_waited_for_and_the_answer_is_true(
    failing: Store, faults: Faults
) -> None:
    faults.inject("commitTransaction", times=1, blockConnection=True, blockTimeMS=400)
    async with asyncio.timeout(0.1):
        await write(failing, patient())
    assert await counted(failing) == (1, 1)


async def test_a_transaction_that_commits_is_waited_for_and_the_answer_is_true(
    failing: Store, faults: Faults
) -> None:
    faults.inject("commitTransaction", times=1, blockConnection=True, blockTimeMS=400)
    async with asyncio.timeout(0.1), failing.unit(transaction=True, types=["Patient"]) as unit:
        unit.stage("Patient", patient())
        unit.record(event())
        await unit.commit()
    assert await counted(failing) == (1, 1)


async def test_a_transaction_cancelled_before_its_commit_is_undone(failing: Store, faults: Faults) -> None:
    others = faults.open_transactions()
    faults.inject("insert", times=1, blockConnection=True, blockTimeMS=400)

    async def writing() -> None:
        async with failing.unit(transaction=True, types=["Patient"]) as unit:
            unit.stage("Patient", patient())
            await unit.commit()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writing(), 0.1)
    assert await counted(failing) == (0, 0)
    async with asyncio.timeout(5):
        while faults.open_transactions() > others:
            await asyncio.sleep(0.05)


async def test_who_waits_for_the_next_group_can_still_leave(failing: Store, faults: Faults) -> None:
    """What did not begin to be written is not written, and those it waited with are."""
    faults.inject("insert", times=2, blockConnection=True, blockTimeMS=400)
    first = [asyncio.create_task(write(failing, patient())) for _ in range(2)]
    await asyncio.sleep(0.05)
    lanes = [asyncio.create_task(write(failing, patient()))]
    await asyncio.sleep(0.05)
    leaving, staying = (asyncio.create_task(write(failing, patient())) for _ in range(2))
    await asyncio.sleep(0.05)
    leaving.cancel()
    ends = await asyncio.gather(*first, *lanes, leaving, staying, return_exceptions=True)
    assert [type(end) for end in ends] == [type(None)] * 3 + [asyncio.CancelledError, type(None)]
    assert await counted(failing) == (4, 4)


async def test_closing_waits_for_what_is_under_way(
    failing_mongod: str, database_name: str, faults: Faults
) -> None:
    async with opened(failing_mongod, database_name) as store:
        await store.collections.ensure("Patient")
        faults.inject("commitTransaction", times=1, blockConnection=True, blockTimeMS=300)
        writing = asyncio.create_task(write(store, patient()))
        await asyncio.sleep(0.1)
    await writing
    async with opened(failing_mongod, database_name) as store:
        assert await counted(store) == (1, 1)
