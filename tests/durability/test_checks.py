"""The checks find what they are there for: each broken promise, made on purpose in a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient

from tests.durability.checks import read_all, violations
from tests.durability.load import Ledger, load
from tests.rest.conftest import running

Client = MongoClient[dict[str, Any]]


@contextmanager
def documents(uri: str, database: str) -> Iterator[Any]:
    with Client(uri) as client:
        yield client[database]


async def loaded(uri: str, database: str) -> Ledger:
    ledger = Ledger()
    async with running(uri, database) as client, load(ledger, str(client.base_url).rstrip("/"), clients=8):
        while len(ledger.of(200, 201)) < 150:
            await asyncio.sleep(0.05)
    return ledger


async def test_what_is_found(mongod_uri: str, database_name: str) -> None:
    ledger = await loaded(mongod_uri, database_name)

    def found() -> str:
        with Client(mongod_uri) as client:
            return "\n".join(violations(ledger, read_all(client, database_name)))

    assert found() == ""
    with documents(mongod_uri, database_name) as db:
        hot = db["Patient.history"].find_one({"_id.id": "hot-0"}) or pytest.fail("nothing was updated")
        db["Patient.history"].delete_one({"_id": hot["_id"]})
        assert "is lost" in found()
        assert "has versions" in found()
        assert "which does not exist" in found()
        db["Patient.history"].insert_one({**hot, "r": {**hot["r"], "birthDate": "1971"}})
        assert "is not what was acknowledged" in found()
        db["Patient.history"].replace_one({"_id": hot["_id"]}, hot)
        assert found() == ""

        once = db["Patient"].find_one({"r.identifier.value": "once-0"})
        db["Patient"].insert_one({**once, "_id": "another"})
        assert "once-0 was created 2 times" in found()
        assert "('Patient', 'another', 1) has no AuditEvent" in found()
        db["Patient"].delete_one({"_id": "another"})
        assert found() == ""

        half = db["Observation"].find_one()
        db["Observation"].delete_one({"_id": half["_id"]})
        assert "by half" in found()
        db["Observation"].insert_one(half)
        assert found() == ""

        read = next(attempt for attempt in ledger.of(200) if attempt.kind == "read")
        db["AuditEvent"].delete_many({"r.entity.what.identifier.value": read.request_id})
        assert found() == "read, answered 200, has no AuditEvent"
        read.status = 500
        assert "answered 500" in found()
        read.status = 503
        assert "without Retry-After" in found()
