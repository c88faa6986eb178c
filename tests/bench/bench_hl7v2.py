"""HL7 v2: read and mapped by one core; over MLLP into the store with senders that wait for each answer."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from importers.hl7v2.config import Feeds
from importers.hl7v2.convert import convert
from importers.hl7v2.read import read
from tests.bench.report import Figure
from tests.bench.servers import Running, free_port, server
from tests.durability.messages import admission, results
from tests.durability.senders import Accepted, send_all

ROUNDS = 5
MESSAGES = 3000
"""of each round over MLLP"""
CONNECTIONS = 8


def figures() -> Iterator[Figure]:
    """All of it; about two minutes."""
    yield _mapped("ADT of 5 segments, read and mapped", admission, "≥ 3,000")
    yield _mapped("ORU with 5 OBX, read and mapped", results, "≥ 2,000")
    yield _mapped("ORU with 40 OBX, read and mapped", partial(results, observations=40), "≥ 400")
    with tempfile.TemporaryDirectory(prefix="fhir-bench-") as name:
        port = free_port()
        with server(Path(name) / "data", mllp_port=str(port)) as fhir:
            yield from _fed(fhir, port)


def _mapped(name: str, made: Callable[[int], bytes], target: str) -> Figure:
    feeds = Feeds()
    raw = [made(number) for number in range(500)]
    rates = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for number, each in enumerate(raw):
            found = read(each, feeds)
            convert(found.message, found.config, str(number))
        rates.append(len(raw) / (time.process_time() - began))
    return Figure(f"{name}, one core", statistics.median(rates), "messages/s", target)


def _fed(fhir: Running, port: int) -> Iterator[Figure]:
    """ORU with 5 OBX, a quarter of them about new patients; the first round warms up and is not counted."""
    numbers = itertools.count()
    rates: list[float] = []
    seconds: list[float] = []
    memory: list[float] = []
    for counted in [False] + [True] * ROUNDS:
        accepted = Accepted()
        began = time.perf_counter()
        some = itertools.islice(numbers, MESSAGES)
        asyncio.run(send_all(port, some, accepted, connections=CONNECTIONS, made=results))
        rate = MESSAGES / (time.perf_counter() - began)
        if len(accepted.seconds) != MESSAGES or accepted.rejected or accepted.lost:
            raise RuntimeError(f"not every message was accepted: {accepted.refused or accepted}")
        memory.append(fhir.resident_megabytes)
        if counted:
            rates.append(rate)
            seconds += accepted.seconds.values()
    cuts = statistics.quantiles(seconds, n=100)
    yield Figure(f"ORU over MLLP, {CONNECTIONS} connections", statistics.median(rates), "messages/s", "≥ 150")
    yield Figure("… from its first byte to its AA, p50", cuts[49] * 1000, "ms")
    yield Figure("… p99", cuts[98] * 1000, "ms", "≤ 250")
    grown = memory[-1] - memory[0]
    yield Figure(f"memory gained over {ROUNDS * MESSAGES:,} messages", grown, "MB", "± 20")
