"""What judging and indexing one laboratory Observation costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from fhir_server.search.index import search_document
from fhir_server.search.site import Site
from resources import codec, invariants, structure, validation
from tests.bench.report import Figure
from tests.bench.servers import HERE

TIMES = 2000
ROUNDS = 7


def microseconds(work: Callable[[], object]) -> float:
    work()
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(TIMES):
            work()
        rounds.append((time.perf_counter() - started) / TIMES * 1e6)
    return statistics.median(rounds)


def figures() -> Iterator[Figure]:
    text = (HERE / "observation.json").read_text()
    body = text.replace("@PATIENT@", "1").replace("@ENCOUNTER@", "1").replace("@VALUE@", "13.40").encode()
    resource = codec.decode(body)
    site = Site("http://127.0.0.1:8080/fhir")
    yield Figure("decode, exact", microseconds(lambda: codec.decode(body)), "µs")
    yield Figure(
        "structure of a lab Observation", microseconds(lambda: structure.examine(resource)), "µs", "≤ 20"
    )
    yield Figure("constraints alone", microseconds(lambda: invariants.violations(resource)), "µs")
    yield Figure(
        "structure and constraints", microseconds(lambda: validation.validate(resource)), "µs", "≤ 150"
    )
    yield Figure("search values", microseconds(lambda: search_document(resource, site)), "µs")
