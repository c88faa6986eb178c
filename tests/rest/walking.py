"""Walks through a searchset, forwards and back, while others write."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.rest.expecting import body
from tests.rest.test_search import ids, links

Json = dict[str, Any]
KINDS = 40


def observation(logical_id: str, chance: random.Random) -> Json:
    """Dates, codes and texts come again and again, and some are absent: order has to be told by the id."""
    resource: Json = {
        "resourceType": "Observation",
        "id": logical_id,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": f"{chance.randrange(KINDS)}"}]},
    }
    if chance.random() < 0.8:
        resource["effectiveDateTime"] = f"20{chance.randrange(10, 20)}-{chance.randrange(1, 13):02}"
    if chance.random() < 0.7:
        resource["valueQuantity"] = {"value": chance.randrange(100), "unit": "g"}
    return resource


async def put(client: httpx.AsyncClient, resources: Iterable[Json]) -> None:
    entries = [
        {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
        for each in resources
    ]
    answer = await client.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text[:500]


@asynccontextmanager
async def writing(client: httpx.AsyncClient, writers: int) -> AsyncIterator[dict[str, float]]:
    """Creates, changes and deletes others all the while; gives how many writes there were, and in what time."""
    counted = {"writes": 0.0, "seconds": 0.0}
    began = time.monotonic()

    async def write(number: int) -> None:
        chance = random.Random(number)
        for turn in itertools.count():
            name = f"{chance.choice('0m')}{number}-{turn % 50}"  # before and among those that are walked over
            if chance.random() < 0.2:
                answer = await client.delete(f"Observation/{name}")
            else:
                answer = await client.put(f"Observation/{name}", json=observation(name, chance))
            assert answer.status_code < 300, answer.text[:500]
            counted["writes"] += 1

    tasks = [asyncio.create_task(write(number)) for number in range(writers)]
    try:
        yield counted
    finally:
        counted["seconds"] = time.monotonic() - began
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


async def pages(client: httpx.AsyncClient, query: str, relation: str) -> list[Json]:
    """All pages from this one on."""
    found = [body(await client.get(query))]
    while (url := links(found[-1]).get(relation)) is not None:
        found.append(body(await client.get(url)))
    return found


async def walked(client: httpx.AsyncClient, query: str, stable: set[str]) -> None:
    """Forwards to the end and back to the beginning: each of `stable` comes once, in the same order.

    What is changed meanwhile may take another place in the order, and be met there again.
    """
    forwards = await pages(client, query, "next")
    told = [each for page in forwards for each in ids(page) if each in stable]
    assert len(told) == len(set(told)), query
    assert set(told) == stable, query
    last = links(forwards[-1])["self"]
    backwards = await pages(client, last, "previous")
    assert [each for page in reversed(backwards) for each in ids(page) if each in stable] == told, query
    first = body(await client.get(links(backwards[-1])["first"]))
    assert "previous" not in links(first)
