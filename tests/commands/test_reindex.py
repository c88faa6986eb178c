"""`fhir-server reindex` as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.commands.loading import Loader, patient, write

MANY = 1500
NICKNAME = {
    "resourceType": "SearchParameter", "id": "nick", "url": "http://example.org/SearchParameter/nick", "name": "Nick",
    "status": "active", "description": "By nickname", "code": "nick", "base": ["Patient"], "type": "string",
    "expression": "Patient.name.where(use = 'nickname').given",
}  # fmt: skip


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fhir_server.cli", "reindex", *arguments]


def run(loader: Loader, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=loader.environment, text=True, capture_output=True, timeout=100, check=False
    )


@pytest.fixture
def loader(mongod_uri: str, database_name: str, tmp_path: Path) -> Loader:
    """A database with patients that were written before the search parameter came."""
    loader = Loader(mongod_uri, database_name)
    people = [patient(id=f"p{n}", name=[{"use": "nickname", "given": [f"N{n}"]}]) for n in range(MANY)]
    assert loader.load(write(tmp_path / "people.ndjson", *people), "--workers", "1").returncode == 0
    assert loader.load(write(tmp_path / "nick.ndjson", NICKNAME), "--workers", "1").returncode == 0
    return loader


def database(loader: Loader, client: MongoClient[dict[str, Any]]) -> Database[dict[str, Any]]:
    return client[loader.database]


def test_killed_in_the_middle_it_goes_on_where_it_stopped(loader: Loader) -> None:
    with MongoClient[dict[str, Any]](loader.uri) as client:
        stored = database(loader, client)
        before = {each["_id"]: (each["v"], each["t"], each["r"]) for each in stored["Patient"].find()}
        assert stored["Patient"].count_documents({"s.nick": {"$exists": True}}) == 0
        process = subprocess.Popen(command("--per-second", "400"), env=loader.environment)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            job = stored["_jobs"].find_one({"_id": "reindex"})
            if job is not None and job["seen"]:
                break
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        job = stored["_jobs"].find_one({"_id": "reindex"})
        assert job is not None
        assert (job["status"], 0 < job["seen"] < MANY) == ("running", True)
        done = stored["Patient"].count_documents({"s.nick": {"$exists": True}})
        assert job["seen"] <= done < MANY

        stored["_jobs"].update_one({"_id": "reindex"}, {"$set": {"until": job["begun"]}})  # the hold ran out
        again = run(loader)
        assert again.returncode == 0, again.stderr
        counted = re.search(r"Indexed ([\d,]+) of ([\d,]+) resources: Patient", again.stdout)
        assert counted is not None, again.stdout
        assert int(counted[2].replace(",", "")) <= MANY
        assert stored["Patient"].count_documents({"s.nick": {"$exists": True}}) == MANY
        assert {each["_id"]: (each["v"], each["t"], each["r"]) for each in stored["Patient"].find()} == before
        assert stored["Patient.history"].count_documents({}) == 0
        events = stored["AuditEvent"].count_documents({"r.agent.name": "fhir-server reindex"})
        assert events == 1


def test_two_at_once_are_one_job(loader: Loader) -> None:
    with MongoClient[dict[str, Any]](loader.uri) as client:
        both = [subprocess.Popen(command(), env=loader.environment) for _ in range(2)]
        assert [process.wait(60) for process in both] == [0, 0]
        stored = database(loader, client)
        assert stored["Patient"].count_documents({"s.nick": {"$exists": True}}) == MANY
        assert stored["AuditEvent"].count_documents({"r.agent.name": "fhir-server reindex"}) in {1, 2}


def test_what_another_release_indexed_is_not_served_before_it_is_indexed_anew(loader: Loader) -> None:
    with MongoClient[dict[str, Any]](loader.uri) as client:
        stored = database(loader, client)
        stored["_server"].delete_one({"_id": "search-format"})
        stored["Patient"].update_many({}, {"$unset": {"s": 1}})
        serve = [sys.executable, "-m", "fhir_server.cli", "serve", "--port", "0"]
        refused = subprocess.run(
            serve, env=loader.environment, text=True, capture_output=True, timeout=60, check=False
        )
        assert refused.returncode == 3
        assert "fhir-server reindex" in refused.stdout + refused.stderr
        assert run(loader).returncode == 0
        assert stored["Patient"].count_documents({"s.nick": {"$exists": True}}) == MANY
        assert stored["_server"].find_one({"_id": "search-format"}) is not None
        assert run(loader).stdout == "Indexed 0 of 0 resources: nothing to do.\n"


def test_unknown_types_are_named(mongod_uri: str, database_name: str) -> None:
    answer = run(Loader(mongod_uri, database_name), "Patiant")
    assert answer.returncode == 1
    assert "Patiant" in answer.stderr
