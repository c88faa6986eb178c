"""Messages over MLLP into the feed of a server: what leaves at once, and what when the message is processed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest_asyncio
from prometheus_client import CollectorRegistry

from fhir_server.feed import receiver
from importers.mllp.framing import frame
from importers.mllp.metrics import MllpMetrics
from importers.mllp.server import Listener
from tests.importers.hl7v2.feeding import PEER, Server, message, serving

BOTH = "|||AL|AL"
PATIENCE = 3.0


class Sender:
    """A client of the listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.got: list[bytes] = []

    def send(self, *messages: bytes) -> None:
        self._writer.write(b"".join(map(frame, messages)))

    async def answer(self) -> str:
        """MSA-1 and MSA-2 of the next answer."""
        async with asyncio.timeout(20):
            block = await self._reader.readuntil(b"\x1c\r")
        self.got.append(block[1:-2])
        [msa] = [line for line in block.decode().split("\r") if line.startswith("MSA")]
        return " ".join(msa.split("|")[1:3])

    async def leave(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Sender]:
    sock = socket.create_server(("127.0.0.1", 0))
    listener = Listener(receiver(server.feed), MllpMetrics(CollectorRegistry()))
    port = sock.getsockname()[1]
    accepting = asyncio.create_task(listener.serve(sock))
    sender = Sender(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield sender
    finally:
        await sender.leave()
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        await listener.drain(5)


@pytest_asyncio.fixture(loop_scope="session")
async def server(mongod_uri: str, database_name: str) -> AsyncIterator[Server]:
    async with serving(mongod_uri, database_name, feed_patience_seconds=PATIENCE) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def sender(server: Server) -> AsyncIterator[Sender]:
    async with connected(server) as sender:
        yield sender


@asynccontextmanager
async def held(server: Server, uri: str, database: str) -> AsyncIterator[Callable[[], None]]:
    """While this lasts, another server works on a message about P1 that came before; or until it is called."""
    go_on = asyncio.Event()
    raw = message("P1", "Earlier", "0")
    async with serving(uri, database) as other:
        store = other.feed.store
        read = other.feed.read(raw)
        row = replace(read.row, received=datetime.now(UTC), peer=PEER, status="received")
        await store.arrive(row, raw)

        async def work() -> None:
            while not go_on.is_set():
                await store.beat()
                with suppress(TimeoutError):
                    await asyncio.wait_for(go_on.wait(), 0.5)
            row.status = "processed"
            await store.finish(row)

        working = asyncio.create_task(work())
        try:
            yield go_on.set
        finally:
            go_on.set()
            await working


async def test_ca_leaves_while_the_message_is_in_work(
    mongod_uri: str, database_name: str, server: Server, sender: Sender
) -> None:
    asked = message("P1", "Jansen", "7", accept=BOTH)
    async with held(server, mongod_uri, database_name) as go_on:
        sender.send(asked)
        assert await sender.answer() == "CA 7"
        [row] = await server.rows(status="received", **{"msh.control_id": "7"})
        assert bytes(row["raw"]) == asked  # kept, and nothing of it done
        assert await server.patients() == []
        go_on()
        assert await sender.answer() == "AA 7"
    assert len(await server.patients()) == 1
    sender.send(asked)
    assert [await sender.answer(), await sender.answer()] == ["CA 7", "AA 7"]
    assert sender.got[:2] == sender.got[2:]


async def test_what_was_accepted_and_has_to_wait_too_long_is_to_be_sent_again(
    mongod_uri: str, database_name: str, server: Server, sender: Sender
) -> None:
    asked = message("P1", "Jansen", "7", accept=BOTH)
    async with held(server, mongod_uri, database_name):
        sender.send(asked)
        assert [await sender.answer(), await sender.answer()] == ["CA 7", "AR 7"]
        [row] = await server.rows(**{"msh.control_id": "7"})
        assert row["status"] == "retrying"
    await server.feed.resume()
    await server.feed.idle()
    sender.send(asked)
    assert [await sender.answer(), await sender.answer()] == ["CA 7", "AA 7"]
    assert len(await server.patients()) == 1


async def test_what_its_header_forbids_is_not_accepted(server: Server, sender: Sender) -> None:
    unknown = message("P1", "Jansen", "1", accept=BOTH).replace(b"ADT^A01", b"ZZZ^Z01")
    nowhere = message("P1", "Jansen", "2", accept=BOTH).replace(b"|P|2.5.1", b"|X|2.5.1")
    sender.send(unknown, nowhere, message("P1", "Jansen", "", accept=BOTH))
    assert [await sender.answer() for _ in range(3)] == ["CR 1", "CR 2", "CR "]
    assert [row["status"] for row in await server.rows()] == ["rejected"] * 3


async def test_what_is_wrong_within_is_told_after_it_was_accepted(server: Server, sender: Sender) -> None:
    sender.send(message("P1", "Jansen", "1", accept=BOTH, gender="bogus"))
    assert [await sender.answer(), await sender.answer()] == ["CA 1", "AE 1"]
    sender.send(message("P1", "EXPLODE", "2", accept=BOTH))
    assert (await sender.answer(), (await sender.answer())[3:]) == ("CA 2", "2")
    assert await server.patients() == []


async def test_what_is_not_asked_for_is_not_told(server: Server, sender: Sender) -> None:
    sender.send(
        message("P1", "Jansen", "1"),
        message("P1", "Jansen", "2", accept="|||NE|NE"),
        message("P1", "Jansen", "3", accept="|||NE|AL"),
        message("P1", "Jansen", "4", accept="|||AL|NE"),
        message("P1", "Jansen", "5", accept="|||ER|AL"),
        message("P1", "Jansen", "6"),
    )
    assert [await sender.answer() for _ in range(5)] == ["AA 1", "AA 3", "CA 4", "AA 5", "AA 6"]


async def test_who_leaves_after_ca_has_his_message_processed(
    mongod_uri: str, database_name: str, server: Server, sender: Sender
) -> None:
    async with held(server, mongod_uri, database_name) as go_on:
        sender.send(message("P1", "Jansen", "7", accept=BOTH))
        assert await sender.answer() == "CA 7"
        await sender.leave()
        go_on()
    await server.feed.idle()
    assert [each["name"][0]["family"] for each in await server.patients()] == ["Jansen"]


async def test_the_answers_to_several_in_a_block_leave_together(server: Server, sender: Sender) -> None:
    sender.send(message("P1", "Jansen", "1", accept=BOTH) + message("P2", "Maes", "2", accept=BOTH))
    assert [await sender.answer() for _ in range(4)] == ["CA 1", "AA 1", "CA 2", "AA 2"]
