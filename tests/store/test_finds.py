"""Several finds as one command. https://www.mongodb.com/docs/manual/reference/operator/aggregation/unionWith/"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandListener

from fhir_server.store.documents import Document
from fhir_server.store.finds import Find
from fhir_server.store.store import Store


class Commands(CommandListener):
    """The names of the questions that MongoDB was asked."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: Any) -> None:
        if event.command_name in {"find", "aggregate"}:
            self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        """Not counted."""

    def failed(self, event: Any) -> None:
        """Not counted."""


COMMANDS = Commands()


@pytest_asyncio.fixture(loop_scope="session")
async def shelf(mongod_uri: str, database_name: str) -> AsyncIterator[Store]:
    """Thirty Observations of three patients, three Patients."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        mongod_uri, event_listeners=[COMMANDS], tz_aware=True
    )
    store = Store(client, database_name)
    observations = [
        {"_id": f"o{n:02}", "r": {"n": n}, "s": {"patient": f"p{n % 3}", "n": n}} for n in range(30)
    ]
    await store.database["Observation"].insert_many(observations)
    await store.database["Patient"].insert_many([{"_id": f"p{n}", "r": {"n": n}} for n in range(3)])
    COMMANDS.names.clear()
    yield store
    await store.close()


def about(patient: int, **changes: Any) -> Find:
    return Find(
        **{
            "name": "Observation",
            "filter": {"s.patient": f"p{patient}"},
            "sort": [("s.n", -1), ("_id", -1)],
            "limit": 4,
            "projection": {"r": 1, "s.n": 1},
            "max_time_ms": 20_000,
            **changes,
        }
    )


async def test_each_gets_what_it_would_get_alone(shelf: Store) -> None:
    finds = [
        about(0),
        about(1, limit=2, sort=[("_id", 1)]),
        about(7),
        about(2, projection={"r": 1}),
        about(0, name="Patient", filter={}, sort=[("_id", 1)]),
    ]
    together = await asyncio.gather(*map(shelf.finds.together, finds))
    assert COMMANDS.names == ["aggregate"]
    alone = [await shelf.finds.together(find) for find in finds]
    assert COMMANDS.names == ["aggregate", *["find"] * len(finds)]
    assert together == alone
    assert [[each["_id"] for each in found] for found in together] == [
        ["o27", "o24", "o21", "o18"], ["o01", "o04"], [], ["o29", "o26", "o23", "o20"], ["p0", "p1", "p2"],
    ]  # fmt: skip
    assert together[1][0] == {"_id": "o01", "r": {"n": 1}, "s": {"n": 1}}


async def test_of_what_was_never_written_nothing_is_found_and_the_others_are(shelf: Store) -> None:
    finds = [about(0, name="Basic"), about(1), about(0, name="Account")]
    nothing, found, neither = await asyncio.gather(*map(shelf.finds.together, finds))
    assert COMMANDS.names == ["aggregate"]
    assert (nothing, neither) == ([], [])
    assert [each["_id"] for each in found] == ["o28", "o25", "o22", "o19"]


async def test_one_that_cannot_be_answered_does_no_harm_to_the_others(shelf: Store) -> None:
    bad = about(0, filter={"$unheardOf": 1})
    first, refused, last = await asyncio.gather(
        *map(shelf.finds.together, [about(0), bad, about(1)]), return_exceptions=True
    )
    assert [each["_id"] for each in first] == ["o27", "o24", "o21", "o18"]  # type: ignore[union-attr]
    assert "unheardOf" in str(refused)
    assert [each["_id"] for each in last] == ["o28", "o25", "o22", "o19"]  # type: ignore[union-attr]


async def test_a_slow_one_does_not_keep_the_others_from_their_answer(
    shelf: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_server.store.finds.MILLISECONDS", 20)
    slow = about(0, filter={"$where": "sleep(20) || true"})
    found = await asyncio.gather(*map(shelf.finds.together, [slow, about(1)]))
    assert [len(each) for each in found] == [4, 4]
    assert COMMANDS.names == ["aggregate", "find", "find"]


async def test_in_a_transaction_nothing_is_asked_together(shelf: Store) -> None:
    async with shelf.unit(transaction=True) as unit:
        COMMANDS.names.clear()
        find = about(0)
        options = {"sort": find.sort, "limit": 4, "projection": find.projection, "max_time_ms": 1000}
        found = await unit.find_together("Observation", find.filter, **options)
        assert [each["_id"] for each in found] == ["o27", "o24", "o21", "o18"]
        assert COMMANDS.names == ["find"]
