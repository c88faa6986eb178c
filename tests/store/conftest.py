"""A store on a real MongoDB; and one whose MongoDB fails on command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from pymongo import MongoClient

from fhir_server.app import open_store
from fhir_server.settings import Settings
from fhir_server.store.documents import Document, document, new_id, now, stamped
from fhir_server.store.faults import Away
from fhir_server.store.mongod import EmbeddedMongod
from fhir_server.store.mongod_binary import Binary
from fhir_server.store.store import Store


@asynccontextmanager
async def opened(uri: str, database: str, **settings: Any) -> AsyncIterator[Store]:
    store = open_store(Settings(mongodb_uri=SecretStr(uri), mongodb_database=database, **settings))
    try:
        await store.prepare()
        yield store
    finally:
        await store.close()


@pytest_asyncio.fixture(loop_scope="session")
async def store(mongod_uri: str, database_name: str) -> AsyncIterator[Store]:
    async with opened(mongod_uri, database_name) as store:
        yield store


class FailingMongod(EmbeddedMongod):
    """A mongod with MongoDB's own fail points: https://github.com/mongodb/mongo/wiki/The-failCommand-fail-point"""

    def _command(self, binary: Binary) -> list[str]:
        return [*super()._command(binary), "--setParameter", "enableTestCommands=1"]


class Faults:
    """Makes commands fail, as often as asked."""

    def __init__(self, client: MongoClient[dict[str, Any]]) -> None:
        self.client = client

    def inject(self, *commands: str, times: int | None = None, **how: Any) -> None:
        """`how`: errorCode, closeConnection, writeConcernError, blockConnection with blockTimeMS."""
        mode = "alwaysOn" if times is None else {"times": times}
        self.client.admin.command(
            {
                "configureFailPoint": "failCommand",
                "mode": mode,
                "data": {"failCommands": list(commands), **how},
            }
        )

    def end(self) -> None:
        self.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})

    def open_transactions(self) -> int:
        found: int = self.client.admin.command("serverStatus")["transactions"]["currentOpen"]
        return found


@pytest.fixture(scope="session")
def failing_mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    mongod = FailingMongod(tmp_path_factory.mktemp("failing"), cache_mb=256)
    yield mongod.start()
    mongod.stop()


@pytest.fixture
def faults(failing_mongod: str) -> Iterator[Faults]:
    with MongoClient[dict[str, Any]](failing_mongod) as client:
        made = Faults(client)
        yield made
        made.end()


@pytest_asyncio.fixture(loop_scope="session")
async def failing(failing_mongod: str, database_name: str, faults: Faults) -> AsyncIterator[Store]:
    """A store on the MongoDB that `faults` makes fail; Patients can be written."""
    async with opened(failing_mongod, database_name, mongodb_timeout_seconds=0.3) as store:
        await store.collections.ensure("Patient")
        yield store
        faults.end()


def patient(logical_id: str | None = None, version: int = 1, **members: Any) -> Document:
    """A stored Patient."""
    moment = now()
    resource = stamped({"resourceType": "Patient", **members}, logical_id or new_id(), version, moment)
    return document(resource, {}, moment)


def event(**members: Any) -> Document:
    moment = now()
    return document(stamped({"resourceType": "AuditEvent", **members}, new_id(), 1, moment), {}, moment)


async def write(store: Store, stored: Document, previous: Document | None = None) -> None:
    """One unit with one write and its event, in a group with whatever else is written now."""
    async with store.unit() as unit:
        unit.stage("Patient", stored, previous)
        unit.record(event())
        await unit.commit()


async def counted(store: Store) -> tuple[int, int]:
    """How many Patients and AuditEvents there are, as soon as MongoDB is known to be back."""
    async with asyncio.timeout(15):
        while True:
            try:
                await store.find("Patient", {}, limit=1)
                break
            except Away:
                await asyncio.sleep(0.05)
    return await store.count("Patient", {}), await store.count("AuditEvent", {})


async def until(condition: Any, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)
