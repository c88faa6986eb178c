"""What the audit trail costs: a server as it is beside one that leaves no events, on one MongoDB.

python -m tests.bench audit
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fhir_server.store.mongod import EmbeddedMongod
from tests.bench import cpu
from tests.bench.bench_rest import seeded
from tests.bench.bench_search import disk
from tests.bench.report import Figure
from tests.bench.servers import HERE, Running, server, wrk

ROUNDS = 3
SECONDS = 5

WITHOUT_EVENTS = """
from fhir_server.audit.writer import AuditWriter
from fhir_server.cli import app

AuditWriter.success = lambda self, unit, request, result: None
app()
"""
"""The server has no such setting, and must not have one."""

Costs = tuple[float, float, float]
"""Requests per second, and milliseconds of CPU for one in the server and in MongoDB"""


def figures() -> Iterator[Figure]:
    """About a minute and a half."""
    with tempfile.TemporaryDirectory(prefix="fhir-bench-") as name:
        folder = Path(name)
        (folder / "off").mkdir()
        mongod = EmbeddedMongod(folder / "mongod")
        try:
            uri = mongod.start()
            assert mongod.pid is not None
            without = [sys.executable, "-c", WITHOUT_EVENTS]
            with (
                server(folder / "data", mongodb_uri=uri) as on,
                server(folder / "off" / "data", without, mongodb_uri=uri, mongodb_database="off") as off,
            ):
                asked = [(on, _asked(on, folder)), (off, _asked(off, folder / "off"))]
                yield from _compared("read", "≥ 85", asked, mongod.pid)
                yield from disk(uri, "AuditEvent", "≤ 1,000")  # nearly all of them are of reads
                yield from _compared("create", "≥ 80", asked, mongod.pid)
        finally:
            mongod.stop()


def _asked(running: Running, folder: Path) -> dict[str, str]:
    return {"IDS": str(seeded(running, folder)), "BODY": str(HERE / "observation.json")}


def _compared(
    what: str, target: str, asked: list[tuple[Running, dict[str, str]]], mongod: int
) -> Iterator[Figure]:
    """First the server as it is, then the other, in turns."""
    found: list[list[Costs]] = [[], []]
    for _ in range(ROUNDS):
        for costs, (running, environment) in zip(found, asked, strict=True):
            costs.append(_costs(running, mongod, f"{what}.lua", environment))
    on, off = map(_median, found)
    yield Figure(f"{what}, audited", on[0], "/s")
    yield Figure(f"{what}, audited / without events", 100 * on[0] / off[0], "%", target)
    yield Figure(f"{what}: CPU of the event in the server", 1000 * (on[1] - off[1]), "µs")
    yield Figure(f"{what}: CPU of the event in MongoDB", 1000 * (on[2] - off[2]), "µs")


def _costs(running: Running, mongod: int, script: str, asked: dict[str, str]) -> Costs:
    before = cpu.seconds(running.process.pid), cpu.seconds(mongod)
    rate = wrk(running.url.removesuffix("/fhir"), script=script, seconds=SECONDS, environment=asked)
    after = cpu.seconds(running.process.pid), cpu.seconds(mongod)
    requests = rate * SECONDS / 1000
    return rate, (after[0] - before[0]) / requests, (after[1] - before[1]) / requests


def _median(costs: list[Costs]) -> Costs:
    rates, server_, mongod = zip(*costs, strict=True)
    return statistics.median(rates), statistics.median(server_), statistics.median(mongod)
