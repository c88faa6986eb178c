"""What the README promises of `fhir-server load`, tried with real processes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.commands.test_serve import ENVIRONMENT
from tests.docs.markdown import ROOT

Json = dict[str, Any]

RESOURCES = 6000


def load(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fhir_server.cli", "load", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={**ENVIRONMENT, "LOGNAME": "a.person", **environment},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What lies in files: a line with a fault among good ones, a transaction, and a file of another kind."""
    patients = [{"resourceType": "Patient", "id": f"p{number}"} for number in range(3)]
    lines = [*map(json.dumps, patients), '{"resourceType":"Patient","gender":"femal"}']
    (tmp_path / "patients.ndjson").write_text("\n".join(lines))
    posted = {
        "resource": {"resourceType": "Basic", "code": {"text": "x"}},
        "request": {"method": "POST", "url": "Basic"},
    }
    (tmp_path / "bundle.json").write_text(
        json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [posted, posted]})
    )
    (tmp_path / "notes.txt").write_text("none of ours")
    return tmp_path


def test_failures_are_listed_with_file_and_entry_and_the_same_again_loads_nothing_twice(
    folder: Path, mongod_uri: str, database_name: str
) -> None:
    target = {"FHIR_SERVER_MONGODB_URI": mongod_uri, "FHIR_SERVER_MONGODB_DATABASE": database_name}
    first = load(folder, **target)
    assert first.returncode == 1
    assert "patients.ndjson line 4: " in first.stderr
    assert "Patient.gender" in first.stderr
    assert "Traceback" not in first.stderr
    assert "Loaded 5 resources in " in first.stdout
    assert "notes.txt" in first.stdout
    second = load(folder, **target)
    assert second.returncode == 1
    assert "Loaded 0 resources in " in second.stdout
    with MongoClient[Json](mongod_uri) as client:
        database = client[database_name]
        assert [(each["_id"], each["v"]) for each in database.Patient.find(sort=[("_id", 1)])] == [
            ("p0", 1),
            ("p1", 1),
            ("p2", 1),
        ]
        assert database.Basic.count_documents({}) == 2
        created = database.AuditEvent.find_one({"r.action": "C", "r.outcome": "0"})
        assert created is not None
        assert created["r"]["agent"][0]["who"]["display"] == "a.person"
        refused = database.AuditEvent.count_documents({"r.outcome": "4"})
        assert refused == 2
    third = load("--again", folder / "bundle.json", **target)
    assert third.returncode == 0
    assert "Loaded 2 resources in " in third.stdout


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_load_goes_on_where_it_stopped(
    tmp_path: Path, mongod_uri: str, database_name: str, how: signal.Signals, code: int
) -> None:
    target = {"FHIR_SERVER_MONGODB_URI": mongod_uri, "FHIR_SERVER_MONGODB_DATABASE": database_name}
    lines = [json.dumps({"resourceType": "Basic", "code": {"text": str(n)}}) for n in range(RESOURCES)]
    (tmp_path / "basics.ndjson").write_text("\n".join(lines))
    command = [sys.executable, "-m", "fhir_server.cli", "load", str(tmp_path)]
    with (
        MongoClient[Json](mongod_uri) as client,
        subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**ENVIRONMENT, **target}) as first,
    ):
        stored = client[database_name].Basic
        while not stored.count_documents({}, limit=1):  # the estimate counts what is not committed yet, too
            assert first.poll() is None
            time.sleep(0.005)
        first.send_signal(how)
        assert first.wait(30) == code
        assert 0 < stored.count_documents({}) < RESOURCES, "it was not interrupted in the middle"
        second = load(tmp_path, **target)
        assert second.returncode == 0, second.stderr
        assert "had been loaded before" in second.stdout
        assert sorted(stored.distinct("r.code.text"), key=int) == [str(n) for n in range(RESOURCES)]
        assert stored.count_documents({}) == RESOURCES


def test_a_dry_run_judges_without_a_database(folder: Path) -> None:
    judged = load("--dry-run", folder, FHIR_SERVER_MONGODB_URI="mongodb://127.0.0.1:1/")
    assert judged.returncode == 1
    assert "patients.ndjson line 4: " in judged.stderr
    assert "Judged 5 resources in " in judged.stdout


def test_the_options_that_the_readme_names_are_there() -> None:
    text = (ROOT / "README.md").read_text()
    loading = text.partition("## Loading data")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(--[a-z-]+)`", loading))
    assert named
    shown = load("--help").stdout
    assert {name for name in named if name not in shown} == set()
