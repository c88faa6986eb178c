"""How fast `fhir-server load` is: resources per second, printed and never asserted.

    python -m tests.bench.bench_load [--copies 60] [--workers N] [--ndjson]

The patients of the corpus (FHIR_CORPUS) are copied under new UUIDs into a temporary folder, and loaded into
an embedded MongoDB in another one. The rate counts from the first look at the files to the last commit, with
the start of the workers; the CPU seconds are those of the loader and its workers, and of mongod.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

from fhir_server.store.mongod import EmbeddedMongod

CORPUS = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def copied(text: str, number: int, shared: set[str]) -> str:
    """The same patient as another person: every UUID but the `shared` ones becomes another one."""
    names: dict[str, str] = {}

    def other(match: re.Match[str]) -> str:
        if match[0] in shared:
            return match[0]
        return names.setdefault(match[0], str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number} {match[0]}")))

    return UUID.sub(other, text)


def generate(folder: Path, copies: int, *, ndjson: bool) -> int:
    """Writes the patients and what they refer to; how many resources that is."""
    count = 0
    shared: set[str] = set()
    for path in sorted((CORPUS / "fhir" / "synthea").glob("*.json")):
        text = path.read_text()
        size = len(json.loads(text)["entry"])
        if path.name[0].isdigit():
            (folder / path.name).write_text(text)
            shared.update(UUID.findall(text))
            count += size
            continue
        for number in range(copies):
            name = f"{path.stem}-{number}"
            if ndjson:
                (folder / f"{name}.ndjson").write_text("".join(lines(copied(text, number, shared))))
            else:
                (folder / f"{name}.json").write_text(copied(text, number, shared))
            count += size
    return count


def lines(bundle: str) -> Iterator[str]:
    """The entries as NDJSON, with references by id."""
    entries = json.loads(bundle)["entry"]
    types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in entries}

    def literal(match: re.Match[str]) -> str:
        return f'"{types[match[1]]}/{match[2]}"' if match[1] in types else match[0]

    for entry in entries:
        text = json.dumps(entry["resource"], ensure_ascii=False)
        yield re.sub(r'"(urn:uuid:([^"]+))"', literal, text) + "\n"


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--copies", type=int, default=60)
    options.add_argument("--workers", type=int, default=os.cpu_count())
    options.add_argument("--ndjson", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as folder:
        count = generate(Path(folder), chosen.copies, ndjson=chosen.ndjson)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        mongod = EmbeddedMongod(Path(data))
        uri = mongod.start()
        try:
            began = time.perf_counter()
            command = [
                sys.executable,
                "-m",
                "fhir_server.cli",
                "load",
                "--workers",
                str(chosen.workers),
                folder,
            ]
            subprocess.run(command, check=True, env={**os.environ, "FHIR_SERVER_MONGODB_URI": uri})
            seconds = time.perf_counter() - began
            ours, theirs = os.times(), psutil.Process(mongod.pid).cpu_times()
        finally:
            mongod.stop()
    print(
        f"{count:,} resources, {size / 2**20:.0f} MiB, {chosen.workers} workers on {os.cpu_count()} cores: "
        f"{seconds:.1f} s, {count / seconds:,.0f} resources/s; CPU: loader "
        f"{ours.children_user + ours.children_system:.1f} s, mongod {theirs.user + theirs.system:.1f} s"
    )


if __name__ == "__main__":
    main()
