"""What MongoDB may answer in each phase, provoked with its own fail points, and what becomes of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import AutoReconnect, ConfigurationError, PyMongoError, ServerSelectionTimeoutError

from fhir_server.store import session
from fhir_server.store.faults import Away, CacheFull, WriteConflict, away, faults, translated
from fhir_server.store.store import Store
from resources.outcome import FHIRError
from tests.store.conftest import Faults, counted, event, patient, until, write

GOING = [211, 91, 189, 262, 10107, 11600, 13435]
"""KeyNotFound (just after a start), ShutdownInProgress, PrimarySteppedDown, ExceededTimeLimit, NotWritablePrimary, InterruptedAtShutdown,
NotPrimaryNoSecondaryOk"""


async def outcome(work: Any) -> BaseException | None:
    try:
        await work
    except Exception as fault:
        return fault
    return None


@pytest.mark.parametrize("command", ["find", "insert", "commitTransaction", "aggregate"])
@pytest.mark.parametrize(
    "how", [{"closeConnection": True}, *({"errorCode": code} for code in GOING)], ids=str
)
async def test_mongodb_on_its_way_out_is_a_503(
    failing: Store, faults: Faults, command: str, how: dict[str, Any]
) -> None:
    """For reads, events, writes and commits alike; and what says that nothing was written wrote nothing."""
    faults.inject(command, **how)
    asked = [failing.find("Patient", {}), failing.count("Patient", {}), failing.append([event()])]
    ends = [await outcome(work) for work in [*asked, write(failing, patient())]]
    faults.end()
    assert {type(end) for end in ends} <= {Away, type(None)}, ends
    assert any(isinstance(end, Away) for end in ends)
    for end in ends:
        if isinstance(end, Away):
            assert end.status == 503
            assert end.headers["Retry-After"]
    if isinstance(ends[3], Away):
        assert (await counted(failing))[0] == 0
        assert ("may or may not" in str(ends[3])) == (command == "commitTransaction")


@pytest.mark.parametrize("command", ["find", "insert", "commitTransaction"])
async def test_one_lost_connection_is_nobodys_concern(failing: Store, faults: Faults, command: str) -> None:
    """The driver repeats reads, inserts of events and commits once; nothing is written twice."""
    faults.inject(command, times=1, closeConnection=True)
    if command == "find":
        assert await failing.find("Patient", {}) == []
    elif command == "insert":
        await failing.append([event()])
    else:
        await write(failing, patient())
    expected = {"find": (0, 0), "insert": (0, 1), "commitTransaction": (1, 1)}[command]
    assert await counted(failing) == expected


async def test_a_commit_that_was_done_and_could_not_say_so_is_in_doubt(
    failing: Store, faults: Faults
) -> None:
    faults.inject(
        "commitTransaction", writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"}
    )
    end = await outcome(write(failing, patient()))
    faults.end()
    assert isinstance(end, Away)
    assert "may or may not" in str(end)
    async with asyncio.timeout(10):
        while await counted(failing) != (1, 1):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("code", [13, 18, 211, 8000, 1])
async def test_a_commit_that_fails_in_a_way_that_says_nothing_is_in_doubt(
    failing: Store, faults: Faults, code: int
) -> None:
    """Others in the group must not be written again for it: they may have been."""
    faults.inject("commitTransaction", errorCode=code)
    ends = await asyncio.gather(*(outcome(write(failing, patient())) for _ in range(3)))
    assert [type(end) for end in ends] == [Away] * 3
    assert all("may or may not" in str(end) for end in ends)


@pytest.mark.parametrize("command", ["insert", "commitTransaction"])
@pytest.mark.parametrize("code", [112, 251, 246, 24])
async def test_a_conflict_is_told_and_leaves_nothing(
    failing: Store, faults: Faults, command: str, code: int
) -> None:
    faults.inject(command, errorCode=code, errorLabels=["TransientTransactionError"])
    assert isinstance(await outcome(write(failing, patient())), WriteConflict)
    faults.end()
    assert await counted(failing) == (0, 0)


@pytest.mark.parametrize("code", [257, 290, 388])
async def test_a_limit_of_transactions_is_a_413(failing: Store, faults: Faults, code: int) -> None:
    faults.inject("commitTransaction", errorCode=code)
    end = await outcome(write(failing, patient()))
    assert isinstance(end, FHIRError)
    assert end.status == 413


@pytest.mark.parametrize(("old", "expected"), [(0.5, FHIRError), (30, WriteConflict)])
async def test_a_transaction_that_mongodb_ended_is_a_413_if_it_was_old(
    failing: Store, faults: Faults, monkeypatch: pytest.MonkeyPatch, old: float, expected: type
) -> None:
    monkeypatch.setattr(session, "OLD_SECONDS", old)
    set_limit = {"setParameter": 1, "transactionLifetimeLimitSeconds": 1}
    others = faults.open_transactions()
    before = faults.client.admin.command(set_limit)["was"]

    async def slow() -> None:
        async with failing.unit(transaction=True, types=["Patient"]) as unit:
            unit.stage("Patient", patient())
            await unit.send()
            await until(lambda: faults.open_transactions() == others)
            unit.stage("Patient", patient())
            await unit.commit()

    try:
        end = await outcome(slow())
    finally:
        faults.client.admin.command({**set_limit, "transactionLifetimeLimitSeconds": before})
    assert isinstance(end, expected)
    assert not isinstance(end, FHIRError) or end.status == 413
    assert await counted(failing) == (0, 0)


async def test_more_than_the_cache_holds_is_told_apart_from_conflicts(failing: Store) -> None:
    """A cache of 256 MB, and 280 MB to change at once."""

    async def large() -> None:
        async with failing.unit(transaction=True, types=["Patient"]) as unit:
            for _ in range(20):
                for _ in range(14):
                    unit.stage("Patient", patient(text="x" * 1_000_000))
                await unit.send()
            await unit.commit()

    end = await outcome(large())
    # Which of the two depends on where exactly MongoDB notices.
    assert isinstance(end, CacheFull) or (isinstance(end, FHIRError) and end.status == 413)
    assert await counted(failing) == (0, 0)


async def test_a_lost_transaction_does_not_keep_its_locks(failing: Store, faults: Faults) -> None:
    """MongoDB would keep it open for minutes, and who writes the same would conflict all the while."""
    stored, others = patient("p"), faults.open_transactions()
    await write(failing, stored)
    newer = {**patient("p", 2), "v": 2}

    async def lost() -> None:
        async with failing.unit(transaction=True, types=["Patient"]) as unit:
            unit.stage("Patient", newer, stored)
            await unit.send()
            faults.inject("insert", "abortTransaction", closeConnection=True)
            unit.stage("Patient", patient())
            await unit.send()

    assert isinstance(await outcome(lost()), Away)
    assert faults.open_transactions() == others + 1
    faults.end()
    await until(lambda: faults.open_transactions() == others)
    await write(failing, newer, stored)


async def test_ending_a_lost_transaction_harms_no_other(failing: Store, faults: Faults) -> None:
    """The driver gives sessions to others as soon as they are free: none may be that is still to be killed."""

    async def lost() -> None:
        async with failing.unit(transaction=True, types=["Patient"]) as unit:
            unit.stage("Patient", patient())
            await unit.send()
            raise away()

    faults.inject("killSessions", times=1, closeConnection=True)
    ends = await asyncio.gather(*(outcome(lost()) for _ in range(5)))
    assert {type(end) for end in ends} == {Away}
    written = 0
    async with asyncio.timeout(10):
        while failing._transactions._releasing:
            await asyncio.gather(*(write(failing, patient()) for _ in range(5)))
            written += 5
    assert written > 5
    assert await counted(failing) == (written, written)


async def test_the_errors_of_a_driver_that_finds_nobody() -> None:
    no_sessions = ConfigurationError("Sessions are not supported by this MongoDB deployment")
    for fault in (AutoReconnect("gone"), ServerSelectionTimeoutError("nobody"), no_sessions):
        assert isinstance(translated(fault), Away)


def test_what_is_unknown_stays_what_it_is() -> None:
    for fault in (KeyError("x"), PyMongoError("x")):
        assert translated(fault) is fault
        with pytest.raises(type(fault)), faults():
            raise fault


def test_what_cannot_be_a_document_is_a_422() -> None:
    meant = translated(InvalidDocument("key must not contain null"))
    assert isinstance(meant, FHIRError)
    assert meant.status == 422
