"""The one composition root: settings in, ASGI application out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pymongo import AsyncMongoClient

from fhir_server.rest.health import health_routes
from fhir_server.rest.metrics import Metrics, metrics_route
from fhir_server.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The server as an ASGI application; its lifespan opens and closes the connections to MongoDB."""
    timeout = round(settings.mongodb_timeout_seconds * 1000)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        settings.mongodb_uri.get_secret_value(), serverSelectionTimeoutMS=timeout, tz_aware=True
    )

    async def ping() -> None:
        await client.admin.command("ping")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await client.close()

    app = FastAPI(lifespan=lifespan)
    app.router.routes += [*health_routes(ping), metrics_route(Metrics((), ()))]
    return app
