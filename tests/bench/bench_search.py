"""Searches among a million Observations of 5,000 patients, beside the same among ten thousand of 50.

    python -m tests.bench.bench_search [--observations 100000]

Observations are put into MongoDB as the store keeps them, in the order of their ids, with all indexes there from the
start: through the server it would take an hour. Requests go over HTTP to servers of their own, one worker each.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymongo

from fhir_server.search.index import search_document
from fhir_server.search.site import Site
from fhir_server.store.documents import CODEC_OPTIONS
from fhir_server.store.indexes import indexes_of
from fhir_server.store.mongod import EmbeddedMongod
from tests.bench import cpu, population
from tests.bench.report import Figure, machine, show
from tests.bench.servers import HERE, Running, require_wrk, server

ALL = 1_000_000
FEW = 10_000
ROUNDS = 200
PAGES = 5_000
PORTION = 500
LOAD_SECONDS = 8

SEARCHES = {
    "patient + code, newest first": "Observation?patient=Patient/p{patient}&code={code}&_sort=-date",
    "patient + code + date": "Observation?patient=Patient/p{patient}&code={code}&date=ge2022",
    "patient + category + date": "Observation?patient=Patient/p{patient}&category=laboratory&date=ge2021",
    "code + date": "Observation?code={code}&date=ge2021-0{digit}&date=lt2023",
    "code, newest first": "Observation?code={code}&_sort=-date",
    "code + value": "Observation?code=718-7&value-quantity=6.{digit}2%7Chttp://unitsofmeasure.org%7Cg/dL&patient=Patient/p{patient}",
    "patient by identifier": "Patient?identifier={patient:06}",
    "patient by name + birthdate": "Patient?name=family{patient}&birthdate=ge1970",
}


@dataclass(frozen=True)
class Client:
    """One connection to a server."""

    connection: http.client.HTTPConnection
    base: str

    def get(self, query: str) -> tuple[float, Any]:
        """Milliseconds, and the Bundle."""
        began = time.perf_counter()
        self.connection.request("GET", f"{self.base}/{query}")
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            sys.exit(f"{query} gave {answer.status}: {body[:500]!r}")
        return took, json.loads(body)

    def median(self, search: str, patients: int, rounds: int = ROUNDS) -> float:
        chance = random.Random(7)
        taken = []
        for _ in range(rounds):
            code = chance.choice(population.KINDS)[0]
            query = search.format(patient=chance.randrange(patients), code=code, digit=chance.randint(1, 9))
            taken.append(self.get(query)[0])
        return statistics.median(taken[rounds // 10 :])


def client(url: str) -> Client:
    parts = urlsplit(url)
    return Client(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60), parts.path)


def fill(uri: str, database: str, first: int, last: int, patients: int) -> None:
    """Observations of that range, as the store would have them."""
    site = Site("http://127.0.0.1/fhir")
    with pymongo.MongoClient[dict[str, Any]](uri) as mongo:
        collection = mongo.get_database(database, CODEC_OPTIONS)["Observation"]
        documents = population.stored(population.observations(first, last, patients), site)
        while some := list(islice(documents, PORTION)):
            collection.insert_many(some, ordered=False)


def filled(uri: str, database: str, count: int) -> float | None:
    """Seconds; two processes take turns in small ranges, so that ids come in about their order. None: it was full."""
    patients = max(count // population.EACH, 1)
    began = time.perf_counter()
    with pymongo.MongoClient[dict[str, Any]](uri) as mongo:
        if mongo.get_database(database)["Observation"].estimated_document_count() == count:
            return None
    with pymongo.MongoClient[dict[str, Any]](uri) as mongo:
        found = mongo.get_database(database, CODEC_OPTIONS)
        for name in ("Patient", "Observation"):
            found[name].create_indexes(indexes_of(name))
        found["Patient"].insert_many(
            population.stored(population.patients(patients), Site("http://127.0.0.1/fhir"))
        )
    ranges = [(at, min(at + 5_000, count)) for at in range(0, count, 5_000)]
    with ProcessPoolExecutor(2) as pool:
        for job in [pool.submit(fill, uri, database, *each, patients) for each in ranges]:
            job.result()
    return time.perf_counter() - began


def load(url: str, patients: int, connections: int, seconds: int = LOAD_SECONDS) -> tuple[float, float]:
    """Requests per second and the 99th percentile in milliseconds."""
    command = [require_wrk(), "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "30s", "--latency",
               "-s", str(HERE / "search.lua"), url.removesuffix("/fhir")]  # fmt: skip
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PATIENTS": str(patients)}
    ).stdout
    if "unexpected" in told or "Non-2xx" in told:
        sys.exit(f"{url} gave unexpected answers:\n{told}")
    rate, late = re.search(r"Requests/sec:\s+([\d.]+)", told), re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    assert rate is not None
    assert late is not None
    return float(rate[1]), float(late[1]) * {"us": 0.001, "ms": 1, "s": 1000}[late[2]]


def extraction() -> float:
    """Microseconds for the search values of one Observation."""
    site = Site("http://127.0.0.1/fhir")
    resource = json.loads(
        (HERE / "observation.json").read_text().replace("@VALUE@", "13.40"), parse_float=Decimal
    )
    taken = []
    for _ in range(5_000):
        began = time.perf_counter()
        search_document(resource, site)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


def figures(count: int = ALL, keep: Path | None = None) -> Iterator[Figure]:
    """With `keep` the database stays in that folder: filling it takes ten minutes, asking it two."""
    patients = max(count // population.EACH, 1)
    with tempfile.TemporaryDirectory(prefix="fhir-bench-") as name:
        folder = keep or Path(name)
        (folder / "few").mkdir(parents=True, exist_ok=True)
        mongod = EmbeddedMongod(folder / "mongod")
        try:
            uri = mongod.start()
            with (
                server(folder / "data", mongodb_uri=uri) as running,
                server(folder / "few" / "data", mongodb_uri=uri, mongodb_database="few") as beside,
            ):
                filled(uri, "few", FEW)
                if (taken := filled(uri, "fhir", count)) is not None:
                    yield Figure(f"{count:,} Observations put into MongoDB", taken, "s")
                yield from disk(uri, "Observation", "≤ 2,000")
                many, few = client(running.url), client(beside.url)
                yield from _curated(many, few, patients)
                assert mongod.pid is not None
                yield from _under_load(running, mongod.pid, patients)
                yield from _pages(many, uri, patients)
        finally:
            mongod.stop()
    yield Figure("search values of one Observation", extraction(), "µs", "≤ 60")


def disk(uri: str, name: str, target: str) -> Iterator[Figure]:
    """Files keep what a checkpoint freed for what comes next: that is told apart, it changes from minute to minute."""
    with pymongo.MongoClient[dict[str, Any]](uri) as mongo:
        mongo.admin.command("fsync")
        stats = mongo["fhir"].command({"collStats": name, "indexDetails": True})
    data, indexes = stats["storageSize"] / stats["count"], stats["totalIndexSize"] / stats["count"]
    unused = _unused(stats["wiredTiger"]) / stats["count"]
    unused_index = sum(map(_unused, stats["indexDetails"].values())) / stats["count"]
    yield Figure(f"{name} before compression, with search values", stats["avgObjSize"], "bytes")
    yield Figure(f"{name} on disk: data", data - unused, "bytes")
    yield Figure(f"{name} on disk: indexes", indexes - unused_index, "bytes")
    yield Figure(f"{name} on disk", data + indexes - unused - unused_index, "bytes", target)
    yield Figure("besides, in its files for reuse", unused + unused_index, "bytes")


def _unused(wired_tiger: dict[str, Any]) -> float:
    found: float = wired_tiger["block-manager"]["file bytes available for reuse"]
    return found


def _curated(many: Client, few: Client, patients: int) -> Iterator[Figure]:
    for name, search in SEARCHES.items():
        small, large = [], []
        for _ in range(3):
            small.append(few.median(search, FEW // population.EACH))
            large.append(many.median(search, patients))
        slower = statistics.median(large) / statistics.median(small)
        yield Figure(f"{name}: p50 among {FEW:,}", statistics.median(small), "ms")
        yield Figure(f"{name}: among all", statistics.median(large), "ms")
        yield Figure(f"{name}: all / {FEW:,}", slower, "times", "≤ 1.5")


def _under_load(running: Running, mongod: int, patients: int) -> Iterator[Figure]:
    url = running.url
    load(url, patients, 64, 3)
    before = cpu.seconds(running.process.pid), cpu.seconds(mongod)
    rates = [load(url, patients, 64)[0] for _ in range(3)]
    after = cpu.seconds(running.process.pid), cpu.seconds(mongod)
    each = 1000 / (sum(rates) * LOAD_SECONDS)
    name = "patient + code, newest first, 64 connections"
    yield Figure(name, statistics.median(rates), "searches/s", "≥ 1,200")
    yield Figure("CPU of one of them in the server", (after[0] - before[0]) * each, "ms")
    yield Figure("CPU of one of them in MongoDB", (after[1] - before[1]) * each, "ms")
    late = statistics.median(load(url, patients, 32)[1] for _ in range(3))
    yield Figure("the same, 32 connections: p99", late, "ms", "≤ 100")


def _pages(many: Client, uri: str, patients: int) -> Iterator[Figure]:
    page = "Observation?patient=Patient/p{patient}&_count=100"
    yield Figure("page of 100", many.median(page, patients), "ms", "≤ 12")
    include = "&_include=Observation:patient"
    yield Figure("page of 100 with _include of its patient", many.median(page + include, patients), "ms")
    mixed = "Observation?code={code}&_count=100"
    more = _queries(many, uri, mixed + include, patients) - _queries(many, uri, mixed, patients)
    yield Figure("questions to MongoDB more, with _include of the patients", more, "", "≤ 1")
    chained = "Observation?patient.given=maria&code={code}&_count=20"
    yield Figure(f"chained over {patients:,} patients", many.median(chained, patients, 30), "ms", "≤ 150")
    yield from _walk(many, patients)


def _queries(many: Client, uri: str, search: str, patients: int) -> float:
    """Questions to MongoDB for one search."""
    with pymongo.MongoClient[dict[str, Any]](uri) as mongo:
        before = mongo.admin.command("serverStatus")["opcounters"]["query"]
        many.median(search, patients, 20)
        return float(mongo.admin.command("serverStatus")["opcounters"]["query"] - before) / 20


def _walk(many: Client, patients: int) -> Iterator[Figure]:
    wanted = min(PAGES, patients * population.EACH // 20 - 50)
    taken = []
    query = "Observation?_count=20"
    for _ in range(wanted + 20):
        took, bundle = many.get(query)
        taken.append(took)
        query = next(each["url"] for each in bundle["link"] if each["relation"] == "next").partition(
            "/fhir/"
        )[2]
    yield Figure("page 1 of a walk (median of pages 2 to 41)", statistics.median(taken[1:41]), "ms")
    yield Figure(f"page {wanted:,} (median of 40 there)", statistics.median(taken[-40:]), "ms", "as page 1")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--observations", type=int, default=ALL)
    options.add_argument("--keep", type=Path, help="a folder whose database is filled once and asked again")
    chosen = options.parse_args()
    print(machine())
    show(f"search among {chosen.observations:,}", figures(chosen.observations, chosen.keep))
