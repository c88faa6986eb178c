"""A running server for clients that others wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.rest.conftest import running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def base_url(mongod_uri: str, module_database_name: str) -> AsyncIterator[str]:
    """The FHIR base URL of a server of one's own."""
    async with running(mongod_uri, module_database_name) as client:
        yield str(client.base_url).rstrip("/")
