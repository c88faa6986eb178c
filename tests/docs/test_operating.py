"""What docs/operations.md, docs/audit.md and docs/scale.md promise and no other test tries."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from fhir_server.store.mongod import EmbeddedMongod
from resources import codec
from tests.commands.test_serve import serving
from tests.docs.markdown import ROOT
from tests.rest.conftest import Start, running
from tests.rest.expecting import patient, posted

_ASKED = re.compile(r"^ {4}(GET|POST) +\[base\](/\S+)", re.MULTILINE)


def test_a_copy_of_the_folder_of_a_stopped_server_is_a_backup(tmp_path: Path) -> None:
    original = EmbeddedMongod(tmp_path / "data", cache_mb=256)
    with MongoClient[dict[str, Any]](original.start()) as client:
        client.fhir.Patient.insert_one({"_id": "1", "kept": True})
    original.stop()
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    shutil.rmtree(tmp_path / "data")
    copy = EmbeddedMongod(tmp_path / "copy", cache_mb=256)
    with MongoClient[dict[str, Any]](copy.start()) as client:
        assert client.fhir.Patient.find_one() == {"_id": "1", "kept": True}
    copy.stop()


def test_a_request_id_is_in_answer_log_and_audit_trail(tmp_path: Path, mongod_uri: str) -> None:
    log = tmp_path / "log"
    with serving("--mongodb-uri", mongod_uri, log=log) as server:
        asked = httpx.get(
            f"{server.base}/fhir/Patient/nobody-here", headers={"X-Request-Id": "from.client_1-2"}
        )
        assert asked.headers["x-request-id"] == "from.client_1-2"
        trail = f"{server.base}/fhir/AuditEvent?entity:identifier=from.client_1-2"
        [event] = [entry["resource"] for entry in httpx.get(trail).json()["entry"]]
        assert event["outcome"] == "4"
        deadline = time.monotonic() + 10
        while "from.client_1-2" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    [answered] = [line for line in lines if line.get("request_id") == "from.client_1-2"]
    assert answered.keys() == {
        "timestamp",
        "level",
        "event",
        "request_id",
        "interaction",
        "type",
        "status",
        "milliseconds",
    }
    assert "nobody-here" not in log.read_text()


async def test_servers_on_one_database_take_each_others_cursors_and_show_each_others_writes(
    mongod_uri: str, database_name: str
) -> None:
    async with running(mongod_uri, database_name) as one, running(mongod_uri, database_name) as other:
        for number in range(5):
            created = await one.put(f"Patient/p{number}", content=codec.encode(patient(id=f"p{number}")))
            assert created.status_code == 201
            assert (await other.get(f"Patient/p{number}")).status_code == 200
        found: list[str] = []
        where: str | None = "Patient?_count=2"
        for turn in range(3):
            assert where is not None
            page = (await (one, other)[turn % 2].get(where.rpartition("/")[2])).json()
            found += [entry["resource"]["id"] for entry in page["entry"]]
            where = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
        assert found == [f"p{number}" for number in range(5)]
        assert where is None


@pytest.mark.parametrize("document", ["docs/audit.md", "docs/search.md"])
async def test_requests_shown_in_the_documents_are_answered(client: httpx.AsyncClient, document: str) -> None:
    shown = _ASKED.findall((ROOT / document).read_text())
    assert shown
    for method, path in shown:
        form = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        answer = await client.request(method, path.removeprefix("/"), headers=form)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"


async def test_what_cannot_be_recorded_is_not_shown_and_not_done(
    start: Start, mongod_uri: str, database_name: str
) -> None:
    async with start() as client:
        known = await posted(client, patient(birthDate="1974-12-25"))
        with MongoClient[dict[str, Any]](mongod_uri) as direct:
            database = direct[database_name]
            # From now on the database takes no event.
            database.command("collMod", "AuditEvent", validator={"impossible": True})
            for refusal in (
                await client.get(f"Patient/{known}"),
                await client.get("Patient"),
                await client.get(f"Patient/{known}/_history"),
                await client.put(f"Patient/{known}", content=codec.encode(patient(id=known))),
                await client.put("Patient/other", content=codec.encode(patient(id="other"))),
                await client.delete(f"Patient/{known}"),
            ):
                assert refusal.status_code == 503, refusal.text
                assert "1974" not in refusal.text
            assert [(each["_id"], each["v"]) for each in database.Patient.find()] == [(known, 1)]
            database.command("collMod", "AuditEvent", validator={})
        assert (await client.get(f"Patient/{known}")).status_code == 200
