"""The listener on a real socket, in a thread of its own with the loop that `serve` runs on or asyncio's own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import uvloop
from prometheus_client import CollectorRegistry

from importers.hl7v2.ack import accepted, answers
from importers.hl7v2.header import read_header
from importers.mllp.framing import frame
from importers.mllp.metrics import MllpMetrics
from importers.mllp.receive import Answer, Broken, Connection
from importers.mllp.server import Listener

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def until(condition: Callable[[], bool]) -> None:
    """The listener counts in its own thread: an answer may be here before its count is."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def message(number: str, more: str = "", **fields: str) -> bytes:
    head = f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260101||ADT^A08|{number}|P|2.5.1|||{fields.get('accept', '')}"
    return f"{head}|{fields.get('application', '')}\rPID|1||{number}\r{more}".encode()


def code(answer: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    msa = answer.decode().split("\r")[1].split("|")
    return msa[1], msa[2]


class Receiver:
    """Accepts everything; what to do besides stands in the message: `fail`, `none` (no answer), `wait`.

    `early`: what says that it is kept leaves at once.
    """

    def __init__(self) -> None:
        self.got: list[tuple[bytes, Connection, Broken | None]] = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    async def __call__(
        self, raw: bytes, connection: Connection, answer: Answer, *, broken: Broken | None = None
    ) -> list[bytes]:
        self.got.append((raw, connection, broken))
        given = accepted(raw) if b"early" in raw else []
        for each in given:
            answer(each)
        self.begun.release()
        if b"fail" in raw:
            raise ValueError("patient John Doe is odd")
        if b"wait" in raw:
            while not self.go_on.is_set():
                await asyncio.sleep(0.01)
        header = read_header(raw)
        if header is None or b"none" in raw:
            return []
        return answers(header, "AA" if broken is None else "AR", given=given)[len(given) :]

    @property
    def bodies(self) -> list[bytes]:
        return [raw for raw, _, broken in self.got if broken is None]


class Running:
    def __init__(self, receiver: Receiver, port: int, registry: CollectorRegistry) -> None:
        self.receiver = receiver
        self.port = port
        self._registry = registry
        self.stop: Callable[[float], None] = lambda _seconds: None

    def count(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(name, labels) or 0


@contextmanager
def listening(loop_name: str = "asyncio", **settings: Any) -> Iterator[Running]:
    receiver, registry = Receiver(), CollectorRegistry()
    sock = socket.create_server(("127.0.0.1", 0))
    running = Running(receiver, sock.getsockname()[1], registry)
    loop = LOOPS[loop_name]()
    listener = Listener(receiver, MllpMetrics(registry), **settings)
    serving: list[asyncio.Task[None]] = []

    def run() -> None:
        asyncio.set_event_loop(loop)
        serving.append(loop.create_task(listener.serve(sock)))
        loop.run_forever()

    async def drain(seconds: float) -> None:
        serving[0].cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await listener.drain(seconds)

    def stop(seconds: float) -> None:
        asyncio.run_coroutine_threadsafe(drain(seconds), loop).result(60)

    running.stop = stop
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield running
    finally:
        receiver.go_on.set()
        stop(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Client:
    """A sender with a blocking socket."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *messages: bytes) -> None:
        self.sock.sendall(b"".join(map(frame, messages)))

    def block(self) -> bytes:
        """What stands in the next block, or nothing at the end of the stream."""
        while b"\x1c\r" not in self._rest:
            data = self.sock.recv(65536)
            if not data:
                assert self._rest == b""
                return b""
            self._rest += data
        body, self._rest = self._rest.split(b"\x1c\r", 1)
        assert body[:1] == b"\x0b"
        return body[1:]

    def answer(self) -> tuple[str, str]:
        return code(self.block())

    def closed(self) -> bool:
        """Whether nothing more comes."""
        try:
            return self.block() == b""
        except ConnectionError:
            return True
