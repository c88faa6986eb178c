"""The whole server on a real socket and a real MongoDB, and a client for it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from pydantic import SecretStr

from fhir_server.app import create_app
from fhir_server.rest.protocol import FHIRProtocol
from fhir_server.settings import Settings

FHIR_JSON = "application/fhir+json"
Start = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def running(mongod_uri: str, database: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A server with these settings; a client whose base URL is the FHIR base."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as uvloop does, which `serve` runs on
    port = listener.getsockname()[1]
    chosen = Settings(mongodb_uri=SecretStr(mongod_uri), mongodb_database=database, port=port, **settings)
    config = uvicorn.Config(
        create_app(chosen), loop="none", http=FHIRProtocol, ws="none", log_config=None, access_log=False,
        server_header=False, lifespan="on",
    )  # fmt: skip
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        headers = {"Content-Type": FHIR_JSON, "Accept": FHIR_JSON}
        async with httpx.AsyncClient(base_url=f"{chosen.base_url}/", headers=headers, timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        await task
        listener.close()


@pytest.fixture
def start(mongod_uri: str, database_name: str) -> Start:
    """Starts servers with settings of one's own: `async with start(update_create=False) as client:`"""

    def started(**settings: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        return running(mongod_uri, settings.pop("database", database_name), **settings)

    return started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(mongod_uri: str, module_database_name: str) -> AsyncIterator[httpx.AsyncClient]:
    """One server with default settings for the tests of a file."""
    async with running(mongod_uri, module_database_name) as client:
        yield client
