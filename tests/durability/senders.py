"""Senders as interface engines are: one message at a time for each connection, repeated until it is accepted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from tests.durability.messages import message

ANSWER_SECONDS = 60
PAUSE = 0.1


@dataclass(slots=True)
class Accepted:
    """What was answered: per message the seconds from its first byte sent to its AA, in order of the answers."""

    seconds: dict[int, float] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    """Messages answered with AE, which are not repeated"""
    lost: int = 0
    """Connections that ended while an answer was due"""
    rejected: int = 0
    """AR: to be sent again"""


async def send_all(
    port: int,
    numbers: Iterator[int],
    accepted: Accepted,
    *,
    connections: int = 8,
    made: Callable[[int], bytes] = message,
) -> None:
    """Sends the messages over several connections until each is answered with AA or AE."""
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_send(port, numbers, accepted, made))


async def _send(port: int, numbers: Iterator[int], accepted: Accepted, made: Callable[[int], bytes]) -> None:
    line = _Line(port)
    for number in numbers:
        block = b"\x0b" + made(number) + b"\x1c\r"
        while True:
            began = time.perf_counter()
            try:
                answer = await line.ask(block)
            except (OSError, asyncio.IncompleteReadError):
                accepted.lost += 1
                await line.close()
                await asyncio.sleep(PAUSE)
                continue
            msa = answer[answer.index(b"\rMSA|") + 1 :].split(b"\r", 1)[0].split(b"|")
            assert msa[2] == b"M%d" % number, (msa, number)
            if msa[1] == b"AR":
                accepted.rejected += 1
                await asyncio.sleep(PAUSE)
                continue
            if msa[1] == b"AA":
                accepted.seconds[number] = time.perf_counter() - began
            else:
                accepted.refused[number] = answer.decode()
            break
    await line.close()


class _Line:
    """A connection that is opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None
        self._reader = asyncio.StreamReader()

    async def ask(self, block: bytes) -> bytes:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(block)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._writer.drain()
            return await self._reader.readuntil(b"\x1c\r")

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None
