"""http://hl7.org/fhir/R4/search.html#total"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from fhir_server.context import Context
from fhir_server.interactions import totals
from fhir_server.search.searchset import Total
from fhir_server.search.site import Condition
from fhir_server.store.documents import CODEC_OPTIONS
from tests.operations.test_explain import at_hand

MANY = 4_000
ALIVE: Condition = {"deleted": {"$ne": True}}
MILLISECONDS = 20_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ctx(mongod_uri: str, module_database_name: str) -> AsyncIterator[Context]:
    async with at_hand(mongod_uri, module_database_name) as ctx:
        await ctx.store.collections.ensure("Basic")
        collection = ctx.store.database.get_collection("Basic", CODEC_OPTIONS)
        await collection.insert_many(
            [{"_id": f"{n}", "v": 1, "r": {}, "s": {"code": "half" if n % 2 else "none", "n": n}} for n in range(MANY)]
        )  # fmt: skip
        yield ctx


async def test_few_are_counted(ctx: Context) -> None:
    async with ctx.store.unit() as unit:
        for n in (0, 1, totals.COUNTED - 1):
            found = await totals.estimated(unit, "Basic", {"s.n": {"$lt": n}}, max_time_ms=MILLISECONDS)
            assert found == Total(n)


async def test_of_many_a_sample_is_taken(ctx: Context) -> None:
    async with ctx.store.unit() as unit:
        half = await totals.estimated(unit, "Basic", {"s.code": "half"}, max_time_ms=MILLISECONDS)
        assert half.estimated
        assert half.count == pytest.approx(MANY / 2, rel=0.2)
        everything = await totals.estimated(unit, "Basic", ALIVE, max_time_ms=MILLISECONDS)
        assert everything == Total(MANY, estimated=True)


async def test_no_fewer_than_were_seen(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample may hold none of them."""
    monkeypatch.setattr(totals, "SAMPLE", 1)
    async with ctx.store.unit() as unit:
        for _ in range(5):
            found = await totals.estimated(unit, "Basic", {"s.code": "half"}, max_time_ms=MILLISECONDS)
            assert found.count in {totals.COUNTED, MANY}


async def test_in_a_transaction_they_are_counted(ctx: Context) -> None:
    async with ctx.store.unit(transaction=True, types=["Basic"]) as unit:
        found = await totals.estimated(unit, "Basic", {"s.code": "half"}, max_time_ms=MILLISECONDS)
        assert found == Total(MANY // 2)


def test_totals_add_up() -> None:
    assert Total(1) + Total(2, estimated=True) == Total(3, estimated=True)
    assert Total(1) + Total(2) == Total(3)
