"""What every test may use: a real, private MongoDB for the whole run, and a database name of one's own."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from fhir_server.store.mongod import EmbeddedMongod

CLOSE_SOON = "file_manager=(close_idle_time=10,close_scan_interval=5)"
"""Seconds after which MongoDB closes files that nobody uses; its default is ten minutes."""


@pytest.fixture(scope="session")
def mongod_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Connection string of a replica set; FHIR_TEST_MONGODB_URI names another one, of another version say."""
    given = os.environ.get("FHIR_TEST_MONGODB_URI")
    if given:
        yield given
        return
    folder = tmp_path_factory.mktemp("mongod")
    mongod = EmbeddedMongod(folder, cache_mb=512)
    uri = mongod.start()
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        # The databases of some thousand tests are more files than a process may have open.
        client.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=CLOSE_SOON)
    yield uri
    mongod.stop()
    shutil.rmtree(folder)


@pytest.fixture
def database_name(request: pytest.FixtureRequest) -> str:
    """A name no other test has; dropped with the whole MongoDB."""
    return _unique(request.node.name)


@pytest.fixture(scope="module")
def module_database_name(request: pytest.FixtureRequest) -> str:
    """A name shared by the tests of one file."""
    return _unique(Path(request.node.name).stem)


def _unique(name: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9]', '_', name)[:24]}_{uuid.uuid4().hex[:12]}"
