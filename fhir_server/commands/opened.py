"""A database as commands have it at hand that need no server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fhir_server.app import open_context, open_store
from fhir_server.context import Context
from fhir_server.settings import Settings


@asynccontextmanager
async def opened(settings: Settings, *, any_format: bool = False) -> AsyncIterator[Context]:
    """The context of interactions; with `any_format` also of a database that another release has indexed."""
    store = open_store(settings)
    try:
        yield await open_context(settings, store, any_format=any_format)
    finally:
        await store.close()
