"""Searches through references: 5,000 patients with 20 Observations each, one connection, warm.

    python -m tests.bench.bench_search_joins

The resources are put into the database as the store keeps them; requests go over HTTP to a server of its own.
http://hl7.org/fhir/R4/search.html#chaining
"""

from __future__ import annotations

import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymongo
from bson.codec_options import CodecOptions

from fhir_server.search.index import search_document
from fhir_server.search.site import Site
from fhir_server.store.indexes import indexes_of
from fhir_server.store.mongod import EmbeddedMongod
from tests.bench.report import Figure, machine, show
from tests.bench.servers import server

PATIENTS = 5_000
EACH = 20
ROUNDS = 15

SEARCHES = {
    "chained over 5,000 matching patients, page of 20": ("Observation?patient.gender=female", "≤ 150 ms"),
    "the same, newest first": ("Observation?patient.gender=female&_sort=-_lastUpdated", "≤ 150 ms"),
    "chained over 5,000, one code": ("Observation?patient.gender=female&code=c3", "≤ 150 ms"),
    "chained over 5,000, nothing found": ("Observation?patient.gender=female&code=none", "≤ 150 ms"),
    "chained over 50 patients": ("Observation?patient.family=name7", None),
    "without type: Patient, Group, Location, Device": ("Observation?subject.identifier=17", None),
    "_has over 5,000 patients": ("Patient?_has:Observation:patient:code=c3", None),
    "_has over 50 Observations": ("Patient?_has:Observation:patient:value-string=v7", None),
    "page of 100 by patient": (
        "Observation?patient=Patient/p17,Patient/p18,Patient/p19&_count=100",
        "≤ 12 ms",
    ),
    "the same with _include": (
        "Observation?patient=Patient/p17,Patient/p18,Patient/p19&_count=100&_include=Observation:subject",
        None,
    ),
    "patient with _revinclude of 20": ("Patient?_id=p17&_revinclude=Observation:subject", None),
    "compartment of a patient, all types": ("Patient/p17/*?_count=100", None),
    "two types at once": ("?_type=Patient,Observation&_count=20", None),
}


def documents(resources: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    site = Site("http://127.0.0.1/fhir")
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        {
            "_id": each["id"],
            "v": 1,
            "t": moment + timedelta(seconds=n),
            "r": each,
            "s": search_document(each, site),
        }
        for n, each in enumerate(resources)
    ]


def patients() -> Iterator[dict[str, Any]]:
    for n in range(PATIENTS):
        yield {
            "resourceType": "Patient", "id": f"p{n}", "gender": "female", "identifier": [{"value": f"{n}"}],
            "name": [{"family": f"name{n % 100}", "given": ["Ann"]}], "birthDate": "1980-01-01",
        }  # fmt: skip


def observations() -> Iterator[dict[str, Any]]:
    for n in range(PATIENTS * EACH):
        yield {
            "resourceType": "Observation", "id": f"o{n:07}", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": f"c{n % 10}"}]},
            "subject": {"reference": f"Patient/p{n // EACH}"}, "effectiveDateTime": "2024-01-01",
            "valueString": f"v{n % 2000}",
        }  # fmt: skip


def fill(uri: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        database = client.get_database("fhir", CodecOptions(tz_aware=True))
        for name, some in (("Patient", patients()), ("Observation", observations())):
            database[name].create_indexes(indexes_of(name))
            database[name].insert_many(documents(some))


def milliseconds(url: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        answer.read()
    return (time.perf_counter() - began) * 1000


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        mongod = EmbeddedMongod(Path(folder) / "mongod")
        try:
            uri = mongod.start()
            fill(uri)
            with server(Path(folder) / "data", mongodb_uri=uri) as running:
                for name, (query, target) in SEARCHES.items():
                    url = f"{running.url}{'' if query.startswith('?') else '/'}{query}"
                    milliseconds(url)
                    yield Figure(
                        name, statistics.median(milliseconds(url) for _ in range(ROUNDS)), "ms", target
                    )
        finally:
            mongod.stop()


if __name__ == "__main__":
    print(machine())
    show("search through references", figures())
