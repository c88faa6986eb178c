"""`fhir-server explain` and `fhir-server indexes` as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient

FHIR_SERVER = str(Path(sys.executable).with_name("fhir-server"))


def run(uri: str, database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FHIR_SERVER_MONGODB_URI": uri, "FHIR_SERVER_MONGODB_DATABASE": database}
    return subprocess.run(
        [FHIR_SERVER, *arguments], check=False, capture_output=True, text=True, env=environment, timeout=60
    )


def test_drift_is_listed_and_mended(mongod_uri: str, database_name: str) -> None:
    explained = run(mongod_uri, database_name, "explain", "AuditEvent?entity=Patient/1&_sort=-date")
    assert explained.returncode == 0, explained.stderr
    assert "entity+date" in explained.stdout
    assert run(mongod_uri, database_name, "indexes").returncode == 0
    with MongoClient[dict[str, Any]](mongod_uri) as client:
        client[database_name]["AuditEvent"].drop_index("entity+date")
        client[database_name]["AuditEvent"].create_index("s.by-hand", name="mine")
    amiss = run(mongod_uri, database_name, "indexes")
    assert amiss.returncode == 1
    assert "AuditEvent: missing entity+date; extra mine" in amiss.stderr
    mended = run(mongod_uri, database_name, "indexes", "--fix")
    assert mended.returncode == 0, mended.stderr
    assert "entity+date" in mended.stdout
    assert run(mongod_uri, database_name, "indexes").returncode == 0


def test_a_search_that_is_none_is_told(mongod_uri: str, database_name: str) -> None:
    told = run(mongod_uri, database_name, "explain", "Observation?nothing=1")
    assert told.returncode == 1
    assert "'nothing' is not known for Observation" in told.stderr
