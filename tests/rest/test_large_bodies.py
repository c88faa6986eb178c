"""One large body does not keep the others waiting."""

from __future__ import annotations

import asyncio
import time

import httpx

from fhir_server.rest.understanding import LARGE
from resources import codec


async def test_others_are_served_while_a_large_resource_is_judged(client: httpx.AsyncClient) -> None:
    names = [{"family": f"Name{n}", "given": ["A", "B", "C"]} for n in range(40_000)]
    body = codec.encode({"resourceType": "Patient", "name": names})
    assert len(body) > LARGE
    slowest = 0.0
    large = asyncio.create_task(client.post("Patient", content=body))
    rounds = 0
    while not large.done():
        started = time.perf_counter()
        assert (await client.get("metadata?_elements=status")).status_code == 200
        slowest = max(slowest, time.perf_counter() - started)
        rounds += 1
        await asyncio.sleep(0.01)
    assert large.result().status_code == 201
    assert rounds >= 3
    assert (await client.get(large.result().headers["location"])).content.count(b'"family"') == len(names)
    print(f"{rounds} requests meanwhile, the slowest took {slowest:.2f} s")
