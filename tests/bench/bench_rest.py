"""Reads and creates against a bare FastAPI route; transactions; memory; start. Side by side, one worker."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import Figure
from tests.bench.servers import HERE, Running, bare, server, wrk

ROUNDS = 3
RESOURCES = 100_000
CORPUS = Path(os.environ.get("FHIR_CORPUS", HERE.parents[2] / "shared" / "corpus"))
"""Beside the project where it exists; without it there is no transaction figure."""


def post(url: str, body: bytes) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": "application/fhir+json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        said: bytes = answer.read()
    return said


def observations(count: int) -> Iterator[dict[str, object]]:
    template = (HERE / "observation.json").read_text()
    for n in range(count):
        text = (
            template.replace("@PATIENT@", str(n % 1000))
            .replace("@ENCOUNTER@", str(n))
            .replace("@VALUE@", "13.40")
        )
        yield {
            "resource": json.loads(text, parse_float=str),
            "request": {"method": "POST", "url": "Observation"},
        }


def seeded(fhir: Running, folder: Path, count: int = 5000) -> Path:
    """Ids of Observations to read."""
    template = (HERE / "observation.json").read_text()
    entries = []
    for n in range(count):
        resource = (
            template.replace("@PATIENT@", str(n % 1000))
            .replace("@ENCOUNTER@", str(n))
            .replace("@VALUE@", "13.40")
        )
        entries.append(f'{{"resource":{resource},"request":{{"method":"POST","url":"Observation"}}}}')
    bundle = f'{{"resourceType":"Bundle","type":"batch","entry":[{",".join(entries)}]}}'
    answered = json.loads(post(fhir.url, bundle.encode()))
    ids = [entry["response"]["location"].split("/")[1] for entry in answered["entry"]]
    path = folder / "ids"
    path.write_text("\n".join(ids) + "\n")
    return path


def figures() -> Iterator[Figure]:
    """All of it; about two minutes."""
    with tempfile.TemporaryDirectory(prefix="fhir-bench-") as name:
        folder = Path(name)
        data = folder / "data"
        with bare(folder) as plain, server(data) as fhir:
            yield from _requests(plain, fhir, folder)
            yield from _transactions(fhir, folder)
            yield from _memory(fhir)
        yield _start(data)


def _requests(plain: Running, fhir: Running, folder: Path) -> Iterator[Figure]:
    asked = {"IDS": str(seeded(fhir, folder)), "BODY": str(HERE / "observation.json")}
    base = fhir.url.removesuffix("/fhir")
    rates: dict[str, list[float]] = {"bare": [], "read": [], "create": []}
    for _ in range(ROUNDS):
        rates["bare"].append(wrk(plain.url))
        rates["read"].append(wrk(base, script="read.lua", environment=asked))
        rates["create"].append(wrk(base, script="create.lua", environment=asked))
    median = {name: statistics.median(values) for name, values in rates.items()}
    yield Figure("bare FastAPI route, {}", median["bare"], "requests/s")
    yield Figure("audited read", median["read"], "requests/s")
    yield Figure("audited read / bare", 100 * median["read"] / median["bare"], "%", "≥ 20")
    yield Figure("validated, audited create", median["create"], "requests/s")
    yield Figure("validated, audited create / bare", 100 * median["create"] / median["bare"], "%", "≥ 12")


def _transactions(fhir: Running, folder: Path) -> Iterator[Figure]:
    files = sorted((CORPUS / "fhir" / "synthea").glob("*.json"))
    if not files:
        print(f"No Synthea files in {CORPUS}: no figure for transactions (FHIR_CORPUS names another place).")
        return
    bundles: list[Path] = []
    entries = 0
    for path in files:
        bundle = json.loads(path.read_bytes())
        if bundle["type"] == "batch":
            post(fhir.url, path.read_bytes())
        else:
            bundles.append(path)
            entries += len(bundle["entry"])
    listed = folder / "bundles"
    listed.write_text("\n".join(map(str, bundles)) + "\n")
    base = fhir.url.removesuffix("/fhir")
    wrk(base, script="bundles.lua", connections=4, seconds=3, environment={"BUNDLES": str(listed)})
    rates = [
        wrk(base, script="bundles.lua", connections=4, seconds=8, environment={"BUNDLES": str(listed)})
        for _ in range(ROUNDS)
    ]
    each = entries / len(bundles)
    yield Figure(
        "Synthea transactions, 4 connections", statistics.median(rates) * each, "resources/s", "≥ 1,500"
    )


def _memory(fhir: Running) -> Iterator[Figure]:
    base = fhir.url.removesuffix("/fhir")
    while _count(fhir) < RESOURCES:
        wrk(base, script="create.lua", seconds=10, environment={"BODY": str(HERE / "observation.json")})
    yield Figure("worker memory after 100,000 resources", fhir.resident_megabytes, "MB", "≤ 250")


def _count(fhir: Running) -> int:
    with urllib.request.urlopen(f"{fhir.url}/Observation?_summary=count", timeout=60) as answer:
        total: int = json.load(answer)["total"]
    return total


def _start(data: Path) -> Figure:
    """From the command to readiness, with a database that is there."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        with server(data):
            taken.append(time.perf_counter() - started)
    return Figure("start to ready, existing database", statistics.median(taken), "s", "≤ 3")
