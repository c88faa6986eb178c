"""While MongoDB is away nothing is acknowledged falsely, and nothing that was stored is forgotten."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from importers.hl7v2.rows import Row
from resources.outcome import unavailable
from tests.importers.hl7v2.feeding import Server, code, message, serving
from tests.store.conftest import Faults, counted, failing_mongod, faults

__all__ = ["failing_mongod", "faults"]
PATIENCE = 1.5


@pytest_asyncio.fixture(loop_scope="session")
async def server(failing_mongod: str, faults: Faults, database_name: str) -> AsyncIterator[Server]:
    settings: dict[str, Any] = {"mongodb_timeout_seconds": 0.3, "feed_patience_seconds": PATIENCE}
    async with serving(failing_mongod, database_name, **settings) as server:
        assert code(await server.feed_one(message("P0", "Before", "0"))) == "AA 0"
        yield server
        faults.end()


async def back(server: Server, faults: Faults) -> None:
    """MongoDB works again, and the driver has noticed."""
    faults.end()
    await counted(server.store)


async def statuses(server: Server) -> list[str]:
    return [each["status"] for each in await server.rows()]


async def test_what_cannot_be_stored_is_to_be_sent_again(server: Server, faults: Faults) -> None:
    faults.inject("insert", closeConnection=True)
    began = time.monotonic()
    answered = await server.feed_one(message("P1", "Jansen"))
    assert code(answered) == "AR 1"
    assert "207" in answered.answers[-1].decode()
    assert PATIENCE / 2 < time.monotonic() - began < PATIENCE + 8
    await back(server, faults)
    assert await statuses(server) == ["processed"]
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AA 1"
    assert await statuses(server) == ["processed", "processed"]


async def test_a_short_outage_is_waited_for(server: Server, faults: Faults) -> None:
    faults.inject("insert", "find", "aggregate", times=3, closeConnection=True)
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AA 1"
    assert len(await server.patients()) == 2


async def test_a_commit_that_got_lost_is_looked_for_and_not_repeated(server: Server, faults: Faults) -> None:
    faults.inject("commitTransaction", times=2, closeConnection=True)
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AA 1"
    assert sorted(each["meta"]["versionId"] for each in await server.patients()) == ["1", "1"]
    row = (await server.rows())[-1]
    assert any(each.startswith("Patient/") for each in row["written"])


async def test_what_was_stored_is_done_when_mongodb_is_back(server: Server, faults: Faults) -> None:
    faults.inject("commitTransaction", errorCode=91, errorLabels=["TransientTransactionError"])
    answered = await server.feed_one(message("P1", "Jansen"))
    assert code(answered) == "AR 1"
    later = await server.feed_one(message("P1", "Peeters", "2"))
    assert code(later) == "AR 2"
    assert (await statuses(server))[1:] == ["retrying", "retrying"]
    await back(server, faults)
    assert await server.feed.resume() == 2
    await server.feed.idle()
    assert await statuses(server) == ["processed"] * 3
    names = [each["name"][0]["family"] for each in await server.patients()]
    assert sorted(names) == ["Before", "Peeters"]
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AA 1"
    assert sorted(each["meta"]["versionId"] for each in await server.patients()) == ["1", "2"]


async def test_while_its_event_cannot_be_written_a_message_is_not_done(server: Server) -> None:
    work = server.feed._work
    tell = work.tell

    async def away(row: Row) -> None:
        raise unavailable("no events now")

    object.__setattr__(work, "tell", away)
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AR 1"
    assert (await statuses(server))[1:] == ["retrying"]
    object.__setattr__(work, "tell", tell)
    assert await server.feed.resume() == 1
    await server.feed.idle()
    assert await statuses(server) == ["processed", "processed"]
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AA 1"


async def test_an_end_that_was_written_unnoticed_is_taken_back(server: Server) -> None:
    work = server.feed._work
    finish = work.store.finish

    async def lost(row: Row) -> None:
        await finish(row)
        if row.status == "processed":
            raise unavailable("the connection was lost before MongoDB could say so")

    work.store.finish = lost  # type: ignore[method-assign]
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AR 1"
    work.store.finish = finish  # type: ignore[method-assign]
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AA 1"
    assert (await statuses(server))[1] == "processed"
    assert sorted(each["meta"]["versionId"] for each in await server.patients()) == ["1", "1"]


async def test_no_answer_leaves_before_its_event(server: Server, faults: Faults) -> None:
    await server.feed_one(message("P1", "Jansen"))
    before = await server.store.count("AuditEvent", {})
    faults.inject("insert", closeConnection=True)
    again = await server.feed_one(message("P1", "Jansen"))
    assert code(again) == "AR 1"
    await back(server, faults)
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AA 1"
    assert await server.store.count("AuditEvent", {}) == before + 1
