"""Keyset paging while others write: nothing that is there all the while is lost or repeated.

The long form is `python -m tests.soak.walk`. http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

import random

import httpx
import pytest
import pytest_asyncio

from tests.rest.walking import observation, put, walked, writing

MANY = 2_000
STABLE = {f"k{n:05}" for n in range(MANY)}
ORDERS = [
    "",
    "&_sort=-_id",
    "&_sort=_lastUpdated",
    "&_sort=-date",
    "&_sort=date",
    "&_sort=code,-value-quantity",
]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def resources(client: httpx.AsyncClient) -> None:
    chance = random.Random(1)
    stable = [observation(each, chance) for each in sorted(STABLE)]
    for at in range(0, MANY, 500):
        await put(client, stable[at : at + 500])


@pytest.mark.parametrize("order", ORDERS)
async def test_a_walk_forwards_and_back_while_others_write(client: httpx.AsyncClient, order: str) -> None:
    async with writing(client, 4) as counted:
        await walked(client, f"Observation?_count=100{order}", STABLE)
    assert counted["writes"] > 20, counted


async def test_a_walk_over_several_types_while_others_write(client: httpx.AsyncClient) -> None:
    async with writing(client, 4):
        await walked(client, "?_type=Observation,Patient&_count=250", STABLE)
        await walked(client, "?_type=Observation,Patient&_count=250&_sort=-_lastUpdated", STABLE)
