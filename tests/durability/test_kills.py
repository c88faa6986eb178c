"""Server and MongoDB are killed, stopped and frozen under load: nothing acknowledged is lost, nothing is half."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.durability.checks import Stored, read_all, request_ids, violations
from tests.durability.load import Ledger, load
from tests.durability.server import ServerProcess, mongo, serving


async def judged(ledger: Ledger, uri: str) -> Stored:
    with mongo(uri) as client:
        stored = read_all(client)
    found = violations(ledger, stored)
    by_kind = {a.kind: round(a.seconds, 1) for a in sorted(ledger.attempts, key=lambda a: a.seconds)[-300:]}
    print(
        by_kind,
        ledger.figures(),
        f"slowest {ledger.slowest():.1f} s,",
        len(stored.versions),
        "versions,",
        len(stored.events),
        "events",
    )
    assert not found, "\n".join([f"{len(found)} violations:", *found[:20]])
    assert len(ledger.of(200, 201, 204)) > 100, ledger.figures()
    return stored


async def back(ledger: Ledger, server: ServerProcess) -> None:
    """The server answers again, without being started anew."""
    before = len(ledger.of(201))
    async with asyncio.timeout(60), load(ledger, server.base_url):
        while len(ledger.of(201)) < before + 20:
            await asyncio.sleep(0.1)


async def test_kill_of_the_server(tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(tmp_path / "data") as server:
        for _ in range(3):
            async with load(ledger, server.base_url):
                await asyncio.sleep(2)
                await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await judged(ledger, server.uri)


async def test_kill_of_mongod(tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(tmp_path / "data") as server:
        for _ in range(3):
            async with load(ledger, server.base_url):
                await asyncio.sleep(1.5)
                server.kill_mongod()
                await asyncio.sleep(2)
            await back(ledger, server)
        await judged(ledger, server.uri)
    assert ledger.slowest() < 15


async def test_kill_of_both(tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(tmp_path / "data") as server:
        async with load(ledger, server.base_url):
            await asyncio.sleep(2)
            server.kill_mongod()
            await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await back(ledger, server)
        await judged(ledger, server.uri)


async def test_sigterm_lets_requests_finish(tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(tmp_path / "data") as server:
        async with load(ledger, server.base_url):
            await asyncio.sleep(2)
            code = await asyncio.to_thread(server.terminate)
        assert code == 0
        assert not ledger.of(503), ledger.of(503)[0].outcome
        await asyncio.to_thread(server.start)
        stored = await judged(ledger, server.uri)
    done = {request_id for event in stored.events for request_id in request_ids(event)}
    unanswered = [attempt for attempt in ledger.attempts if attempt.lost and attempt.request_id in done]
    assert not unanswered, "begun, and never answered"


async def test_frozen_mongod(tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(tmp_path / "data") as server:
        async with load(ledger, server.base_url):
            await asyncio.sleep(1.5)
            mongod = server.mongod
            mongod.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(15)
            finally:
                mongod.send_signal(signal.SIGCONT)
            await asyncio.sleep(1)
        await back(ledger, server)
        await judged(ledger, server.uri)
    assert ledger.of(503)
    assert ledger.slowest() < 12
