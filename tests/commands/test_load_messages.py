"""`fhir-server load *.hl7` and `fhir-server feed` as processes, as an interface engineer uses them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.commands.loading import Loader


def admission(number: str, control_id: str, family: str = "Jansen", kind: str = "ADT^A01") -> str:
    return (
        f"MSH|^~\\&|ADT|HOSP|HUB|X|20260101120000+0000||{kind}|{control_id}|P|2.5.1\r"
        f"EVN|A01|20260101120000+0000\r"
        f"PID|1||{number}^^^HOSP^MR||{family}^An||19700131|F\r"
    )


@pytest.fixture
def loader(mongod_uri: str, database_name: str) -> Loader:
    return Loader(mongod_uri, database_name)


def feed(
    loader: Loader, *arguments: str, answer: str = "", feeds: Path | None = None
) -> subprocess.CompletedProcess[str]:
    more = {"COLUMNS": "200", **({} if feeds is None else {"FHIR_SERVER_FEEDS_FILE": str(feeds)})}
    command = [sys.executable, "-m", "fhir_server.cli", "feed", *arguments]
    return subprocess.run(
        command, env={**loader.environment, **more}, text=True, capture_output=True, timeout=60,
        check=False, input=answer,
    )  # fmt: skip


def stored(loader: Loader, name: str) -> list[dict[str, Any]]:
    with MongoClient[dict[str, Any]](loader.uri) as client:
        return list(client[loader.database][name].find())


def test_files_are_loaded_once_and_what_failed_is_named(loader: Loader, tmp_path: Path) -> None:
    batch = (
        "BHS|^~\\&|ADT|HOSP\r" + "".join(admission("P1", f"B{n}", f"Name{n}") for n in range(4)) + "BTS|5\r"
    )
    (tmp_path / "a.hl7").write_text(batch)
    (tmp_path / "b.hl7").write_text(admission("P2", "1") + admission("P3", "2", kind="ZZZ^Z01"))
    (tmp_path / "c.hl7").write_text("nothing of HL7")
    done = loader.load(tmp_path)
    assert done.returncode == 1
    assert "a.hl7: BTS-1: 5 messages are announced, 4 are there" in done.stderr
    assert "b.hl7 message 2 (MSH-10 2): MSH-9.1: Messages of type ZZZ are not mapped" in done.stderr
    assert "c.hl7 message 1: " in done.stderr
    assert "2 failures" in done.stdout
    assert sorted(each["r"]["name"][0]["family"] for each in stored(loader, "Patient")) == ["Jansen", "Name3"]
    again = loader.load(tmp_path)
    assert "5 Bundles or resources had been loaded before" in again.stdout
    assert {each["v"] for each in stored(loader, "Patient")} == {1, 4}


def test_a_dry_run_needs_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text(admission("P1", "1") + admission("P3", "2", kind="ZZZ^Z01"))
    nowhere = Loader("mongodb://127.0.0.1:1/?replicaSet=none", "none")
    done = nowhere.load(tmp_path, "--dry-run")
    assert "message 2 (MSH-10 2): MSH-9.1" in done.stderr
    assert "Judged 3 resources" in done.stdout


def test_an_engineer_looks_repairs_and_replays(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text(
        admission("P1", "1") + admission("P1", "2", kind="ADT^A01").replace("|F\r", "|F\rEVN|")
    )
    (tmp_path / "b.hl7").write_text(admission("P9", "3", kind="ADT^Z77"))
    assert loader.load(tmp_path).returncode == 1
    listed = feed(loader, "list", "--dead")
    assert listed.returncode == 0, listed.stderr
    (line,) = [each for each in listed.stdout.splitlines() if "rejected" in each]
    assert "MSH-9.2" in line
    assert "ADT|HOSP" in line
    row = line.split()[0]
    shown = feed(loader, "show", row)
    assert "PID" in shown.stdout
    assert "MSH-9.2: ADT^Z77 is not mapped to FHIR" in shown.stdout
    refused = feed(loader, "diff", row)
    assert "is refused again" in refused.stdout

    mapping = tmp_path / "own.py"
    mapping.write_text(
        "def arrived(standard, conversion):\n"
        "    number = conversion.message.first('PID').text(3)\n"
        "    resource = {'resourceType': 'Patient', 'identifier': [{'system': 'urn:x', 'value': number}]}\n"
        "    conversion.add(resource, match=(f'identifier=urn:x|{number}',))\n"
        "MAPPINGS = {'ADT^Z77': arrived}\n"
    )
    feeds = tmp_path / "feeds.toml"
    feeds.write_text('[default]\noverrides = "own.py"\n')
    seen = feed(loader, "diff", row, feeds=feeds)
    assert "new Patient" in seen.stdout, seen.stdout + seen.stderr
    assert "P9" in seen.stdout
    assert len(stored(loader, "Patient")) == 1
    kept = feed(loader, "replay", row, answer="n\n", feeds=feeds)
    assert kept.returncode == 1
    assert len(stored(loader, "Patient")) == 1
    done = feed(loader, "replay", row, answer="y\n", feeds=feeds)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "processed" in done.stdout
    assert len(stored(loader, "Patient")) == 2
    assert "changes nothing" in feed(loader, "diff", row, feeds=feeds).stdout
    assert "No messages." in feed(loader, "list", "--dead").stdout
    asked = [
        each
        for each in stored(loader, "AuditEvent")
        if each["r"]["agent"][0].get("name") == "fhir-server feed"
    ]
    assert len(asked) >= 8


def test_what_is_not_there_is_said(loader: Loader, tmp_path: Path) -> None:
    assert "No messages." in feed(loader, "list").stdout
    missing = feed(loader, "show", "abcdef123456")
    assert (missing.returncode, "no message" in missing.stderr) == (1, True)
    broken = tmp_path / "feeds.toml"
    broken.write_text("nonsense = [")
    wrong = feed(loader, "list", feeds=broken)
    assert (wrong.returncode, "feeds.toml" in wrong.stderr) == (1, True)
