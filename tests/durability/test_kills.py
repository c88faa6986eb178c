"""Server and MongoDB are killed, stopped and frozen under load: nothing acknowledged is lost, nothing is half."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.durability.checks import judged, request_ids
from tests.durability.load import Ledger, load
from tests.durability.server import ServerProcess, serving


async def back(ledger: Ledger, server: ServerProcess) -> None:
    """The server answers again, without being started anew."""
    before = len(ledger.of(201))
    async with asyncio.timeout(60), load(ledger, server.base_url):
        while len(ledger.of(201)) < before + 20:
            await asyncio.sleep(0.1)


async def test_kill_of_the_server(tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(tmp_path / "data") as server:
        for _ in range(2):
            async with load(ledger, server.base_url):
                await asyncio.sleep(2)
                await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        judged(ledger, server.uri)


async def test_kill_of_mongod(tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(tmp_path / "data") as server:
        for _ in range(2):
            async with load(ledger, server.base_url):
                await asyncio.sleep(1.5)
                server.kill_mongod()
                await asyncio.sleep(2)
            await back(ledger, server)
        judged(ledger, server.uri)
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
        judged(ledger, server.uri)


async def test_sigterm_lets_requests_finish(tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(tmp_path / "data") as server:
        async with load(ledger, server.base_url):
            await asyncio.sleep(2)
            code = await asyncio.to_thread(server.terminate)
        assert code == 0
        assert not ledger.of(503), ledger.of(503)[0].outcome
        await asyncio.to_thread(server.start)
        stored = judged(ledger, server.uri)
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
                await asyncio.sleep(9)
            finally:
                mongod.send_signal(signal.SIGCONT)
            await asyncio.sleep(1)
        await back(ledger, server)
        judged(ledger, server.uri)
    assert ledger.of(503)
    assert ledger.slowest() < 15
