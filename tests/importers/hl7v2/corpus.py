"""The messages of other people: where they lie, and what is said of each."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[4] / "shared" / "corpus")) / "hl7v2"


def manifest() -> list[dict[str, str]]:
    """A row for each file; skips where the corpus is absent."""
    if not FOLDER.is_dir():
        pytest.skip(f"There are no messages in {FOLDER}; FHIR_CORPUS names their folder")
    with (FOLDER / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def raw(row: dict[str, str]) -> bytes:
    return (FOLDER / row["file"]).read_bytes()
