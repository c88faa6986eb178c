from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest
from pymongo import AsyncMongoClient
from starlette.applications import Starlette

from fhir_server.rest.health import Ping, health_routes


async def ask(path: str, ping: Ping, mllp: Callable[[], bool] = lambda: True) -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=list(health_routes(ping, mllp))))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


async def hang() -> None:
    await asyncio.sleep(3600)


async def fail() -> None:
    raise ConnectionError("mongodb://fhir:secret@127.0.0.1 is away")


async def test_ready_with_a_real_database(mongod_uri: str) -> None:
    async with AsyncMongoClient[dict[str, object]](mongod_uri) as client:
        answer = await ask("/health/ready", lambda: client.admin.command("ping"))
    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})


async def test_not_ready_where_no_database_listens() -> None:
    async with AsyncMongoClient[dict[str, object]](
        "mongodb://127.0.0.1:9/?directConnection=true", serverSelectionTimeoutMS=30_000
    ) as client:
        started = time.monotonic()
        answer = await ask("/health/ready", lambda: client.admin.command("ping"))
    assert answer.status_code == 503
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("ping", [fail, hang])
async def test_not_ready_says_so_within_two_seconds_and_tells_no_secret(ping: Ping) -> None:
    started = time.monotonic()
    answer = await ask("/health/ready", ping)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "secret" not in answer.text
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("ping", [fail, hang])
async def test_alive_without_a_database(ping: Ping) -> None:
    answer = await ask("/health/live", ping)
    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})


async def test_not_ready_where_messages_should_be_taken_and_are_not() -> None:
    async def well() -> None:
        return None

    answer = await ask("/health/ready", well, lambda: False)
    assert (answer.status_code, answer.json()["output"]) == (503, "The MLLP listener does not run")
    assert (await ask("/health/live", well, lambda: False)).status_code == 200
