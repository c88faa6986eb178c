"""When the AuditEvent of an access cannot be written, there is no access."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pymongo import MongoClient
from pymongo.database import Database

from tests.rest.conftest import running

SECRET = "Schlüsselbein"
PATIENT = {"resourceType": "Patient", "id": "p", "name": [{"family": SECRET}]}
MRN = "http://example.org/mrn"


@contextmanager
def refusing(database: Database[dict[str, Any]]) -> Iterator[None]:
    """MongoDB is there and writes everything but AuditEvents."""
    database.command("collMod", "AuditEvent", validator={"never": {"$exists": True}})
    try:
        yield
    finally:
        database.command("collMod", "AuditEvent", validator={})


@pytest.fixture(scope="module")
def database(mongod_uri: str, module_database_name: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongod_uri) as client:
        yield client[module_database_name]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(mongod_uri: str, module_database_name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(mongod_uri, module_database_name, conditional_delete_multiple=True) as client:
        assert (await client.put("Patient/p", json=PATIENT)).status_code == 201
        yield client


def is_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"]
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert SECRET not in answer.text


def contents(database: Database[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    names = [name for name in database.list_collection_names() if name[:1].isupper()]
    found = {name: sorted(database[name].find(), key=lambda one: str(one["_id"])) for name in names}
    return {name: documents for name, documents in found.items() if documents}


@pytest.mark.parametrize(
    "path",
    ["Patient/p", "Patient/p/_history/1", "Patient/p/_history", "Patient/_history", "_history", "metadata",
     "Patient?_id=p", "Patient/unknown", "Nonsense/1", "Patient?nonsense=1"],
)  # fmt: skip
async def test_nothing_is_read(
    client: httpx.AsyncClient, database: Database[dict[str, Any]], path: str
) -> None:
    with refusing(database):
        is_refused(await client.get(path))
    assert (await client.get(path)).status_code in {200, 400, 404}


WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "Patient", {"json": {"resourceType": "Patient"}}),
    ("PUT", "Patient/p", {"json": {**PATIENT, "active": True}}),
    ("PUT", "Patient/p", {"json": PATIENT}),
    ("PUT", "Patient/new", {"json": {"resourceType": "Patient", "id": "new"}}),
    ("DELETE", "Patient/p", {}),
    ("DELETE", "Patient?_id=p", {}),
    ("PATCH", "Patient/p", {
        "content": b'[{"op": "add", "path": "/active", "value": true}]',
        "headers": {"Content-Type": "application/json-patch+json"},
    }),
    ("POST", "Patient", {
        "json": {"resourceType": "Patient", "identifier": [{"system": MRN, "value": "1"}]},
        "headers": {"If-None-Exist": f"identifier={MRN}|1"},
    }),
    ("PUT", f"Patient?identifier={MRN}|1", {
        "json": {"resourceType": "Patient", "identifier": [{"system": MRN, "value": "1"}]},
    }),
    ("POST", "Patient", {"content": b"not json"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "rest"), WRITES)
async def test_nothing_is_written(
    client: httpx.AsyncClient,
    database: Database[dict[str, Any]],
    method: str,
    path: str,
    rest: dict[str, Any],
) -> None:
    before = contents(database)
    with refusing(database):
        is_refused(await client.request(method, path, **rest))
    assert contents(database) == before


@pytest.mark.parametrize("kind", ["transaction", "batch"])
async def test_no_entry_of_a_bundle_is_done(
    client: httpx.AsyncClient, database: Database[dict[str, Any]], kind: str
) -> None:
    entries = [
        {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
        {"resource": {**PATIENT, "active": False}, "request": {"method": "PUT", "url": "Patient/p"}},
        {"request": {"method": "GET", "url": "Patient/p"}},
        {"request": {"method": "GET", "url": "Patient/unknown"}},
    ]
    entries = entries if kind == "batch" else entries[:2]
    before = contents(database)
    with refusing(database):
        is_refused(await client.post("", json={"resourceType": "Bundle", "type": kind, "entry": entries}))
    assert contents(database) == before


async def test_a_user_who_may_not_write_events(mongod_uri: str, database_name: str) -> None:
    """The same where MongoDB's own access control refuses them."""
    async with running(mongod_uri, database_name) as client:
        assert (await client.put("Patient/p", json=PATIENT)).status_code == 201
    with MongoClient[dict[str, Any]](mongod_uri) as owner:
        database = owner[database_name]
        everything = [
            "find",
            "insert",
            "update",
            "remove",
            "createCollection",
            "createIndex",
            "listCollections",
        ]
        names = [*database.list_collection_names(), ""]
        database.command("createRole", "unaudited", roles=[], privileges=[
            {"resource": {"db": database_name, "collection": name},
             "actions": everything if name not in {"AuditEvent", ""} else ["find", "createCollection", "createIndex", "listCollections", "listIndexes"]}
            for name in names
        ])  # fmt: skip
        database.command("createUser", "unaudited", pwd="secret", roles=["unaudited"])
        before = contents(database)
        address = mongod_uri.rsplit("@", 1)[1].split("/", 1)[0]
        uri = f"mongodb://unaudited:secret@{address}/?directConnection=true&authSource={database_name}"
        async with running(uri, database_name) as client:
            is_refused(await client.get("Patient/p"))
            is_refused(await client.put("Patient/p", json={**PATIENT, "active": True}))
            is_refused(await client.delete("Patient/p"))
        assert contents(database) == before


async def test_one_event_that_cannot_be_written_refuses_one_request(
    client: httpx.AsyncClient, database: Database[dict[str, Any]]
) -> None:
    """Requests whose events go out together do not suffer for each other."""
    command = {"r.entity.what.identifier.value": {"$nin": ["bad-0", "bad-1"]}}
    database.command("collMod", "AuditEvent", validator=command)
    try:
        asked = []
        for n in range(40):
            name = f"bad-{n // 20}" if n in {7, 27} else f"good-{n}"
            headers = {"X-Request-Id": name}
            if n < 20:
                asked.append(client.get("Patient/p", headers=headers))
            else:
                asked.append(client.post("Patient", json={"resourceType": "Patient"}, headers=headers))
        answers = await asyncio.gather(*asked)
    finally:
        database.command("collMod", "AuditEvent", validator={})
    assert [n for n, answer in enumerate(answers) if answer.status_code == 503] == [7, 27]
    assert {answer.status_code for answer in answers} == {200, 201, 503}
