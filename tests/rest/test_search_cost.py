"""What a search may cost: it is stopped in MongoDB, and the answer says what was slow.

http://hl7.org/fhir/R4/search.html#errors
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient

from fhir_server.search import sort
from fhir_server.search.site import Site
from fhir_server.store.documents import CODEC_OPTIONS
from fhir_server.store.faults import TooSlow
from tests.bench import population
from tests.rest.conftest import Start, running
from tests.rest.expecting import refused
from tests.store.conftest import opened

SLOW = {"$where": "sleep(20) || true"}
MANY = 20_000


async def running_on(client: AsyncMongoClient[Any], namespace: str) -> list[Any]:
    cursor = await client.admin.aggregate([{"$currentOp": {}}, {"$match": {"ns": namespace, "active": True}}])
    return await cursor.to_list()


async def test_what_takes_too_long_is_not_left_running(mongod_uri: str, database_name: str) -> None:
    async with opened(mongod_uri, database_name) as store:
        await store.database["Patient"].insert_many([{"_id": str(n)} for n in range(500)])
        namespace = f"{database_name}.Patient"
        asked = asyncio.create_task(store.find("Patient", SLOW, max_time_ms=600))
        async with asyncio.timeout(5):
            while not await running_on(store.client, namespace):
                await asyncio.sleep(0.01)
        with pytest.raises(TooSlow):
            await asked
        async with asyncio.timeout(2):
            while await running_on(store.client, namespace):
                await asyncio.sleep(0.01)


async def test_a_sort_takes_no_more_memory_than_mongodb_has_for_it(
    mongod_uri: str, database_name: str
) -> None:
    """100 MB, and nothing on disk."""
    async with opened(mongod_uri, database_name) as store:
        large = "x" * 2**20
        await store.database["Patient"].insert_many([{"_id": str(n), "k": n, "r": large} for n in range(120)])
        with pytest.raises(Exception, match="than can be sorted") as told:
            await store.find("Patient", {}, sort=[("k", 1)])
        assert getattr(told.value, "status", None) == 413


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def many(mongod_uri: str, module_database_name: str) -> str:
    """The name of a database with many Observations."""
    site = Site("http://127.0.0.1/fhir")
    async with running(mongod_uri, module_database_name), opened(mongod_uri, module_database_name) as store:
        for each in ("Observation", "Patient"):
            await store.collections.ensure(each)
        for name, some in (
            ("Observation", population.observations(0, MANY, 100)),
            ("Patient", population.patients(MANY)),
        ):
            collection = store.database.get_collection(name, CODEC_OPTIONS)
            await collection.insert_many(population.stored(some, site))
    return module_database_name


@pytest.mark.parametrize(
    ("search", "says"),
    [
        (
            "Observation?performer:missing=true&status=final",
            "to look for Observation by performer:missing, status took longer than the 0.001 s",
        ),
        ("Observation?encounter:missing=true&_count=0", "to count Observation by encounter:missing"),
        ("Observation?patient.name:contains=zzz", "to look into "),
        ("Patient?_has:Observation:patient:status=final", "to look into Observation"),
        (
            "?_type=Patient,Observation&_tag:missing=true&_total=accurate",
            "to count what is there of all types",
        ),
    ],
)
async def test_the_answer_says_what_was_slow(many: str, start: Start, search: str, says: str) -> None:
    async with start(database=many, search_timeout_seconds=0.001) as client:
        refused(await client.get(search), 503, says=says)


async def test_what_is_sorted_here_is_bounded(many: str, start: Start) -> None:
    async with start(database=many) as client:
        refused(await client.get("Observation?status=final&_sort=value-quantity"), 413, says=f"{sort.MOST:,}")
        narrow: httpx.Response = await client.get(
            "Observation?patient=Patient/p7&_sort=value-quantity&_count=3"
        )
        assert len(narrow.json()["entry"]) == 3
