"""The one composition root: settings in, ASGI application out."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from pymongo import AsyncMongoClient
from starlette.types import ASGIApp, Receive, Scope, Send

from capability.openapi import openapi
from capability.table import SYSTEM_INTERACTIONS, TABLE, TYPE_INTERACTIONS
from fhir_server import dicom_port
from fhir_server.audit.event import Source
from fhir_server.audit.writer import AuditWriter
from fhir_server.context import Context
from fhir_server.dicom import sources_of, with_dicom
from fhir_server.feed import feeds_of, receiver, with_feed
from fhir_server.interactions import own_parameters
from fhir_server.interactions.own_parameters import OwnParameters
from fhir_server.mllp import MllpDoor
from fhir_server.operations.reindex_job import work_when_asked
from fhir_server.rest.access_log import AccessLog
from fhir_server.rest.dicomweb import paths
from fhir_server.rest.dicomweb.endpoint import INTERACTIONS, DicomwebEndpoint
from fhir_server.rest.docs_page import docs_route
from fhir_server.rest.endpoint import FhirEndpoint
from fhir_server.rest.health import health_routes
from fhir_server.rest.metrics import Metrics, metrics_route
from fhir_server.search.site import Site
from fhir_server.settings import Settings
from fhir_server.store import search_format
from fhir_server.store.store import Store
from resources.outcome import FHIRError

PATIENCE = 30
"""Seconds to wait for MongoDB when the server starts"""

HEARTBEAT, SILENCE = 1, 6
"""Seconds between two signs of life of MongoDB, and how long one may be late: then it counts as hung, and
what waits for it is answered with 503. Nothing may keep the event loop busy that long: a Bundle of 40 MB
does for three seconds."""

log = structlog.get_logger()


class Application(FastAPI):
    """Requests of FHIR and DICOMweb go straight to their endpoints; FastAPI answers for health, metrics and the API's docs.

    Its middlewares cost a tenth of a read, and the endpoints see to errors, sizes and headers themselves.
    """

    def __init__(self, endpoints: Mapping[str, ASGIApp], **settings: Any) -> None:
        super().__init__(docs_url=None, redoc_url=None, **settings)
        self._endpoints = [(base, f"{base}/", endpoint) for base, endpoint in endpoints.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http":
            for base, below, endpoint in self._endpoints:
                if path == base or path.startswith(below):
                    await endpoint(scope, receive, send)
                    return
        await super().__call__(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """The server as an ASGI application; its lifespan opens and closes the connections to MongoDB."""
    store = open_store(settings)
    metrics = Metrics(TYPE_INTERACTIONS | SYSTEM_INTERACTIONS | set(INTERACTIONS.values()), TABLE.types)
    access_log = AccessLog(on=settings.log_level in {"DEBUG", "INFO"}, style=settings.log_format)
    base_path = urlsplit(settings.base_url).path
    endpoint = FhirEndpoint(metrics, access_log, base_path)
    dicomweb = DicomwebEndpoint(metrics, access_log)
    door = MllpDoor(settings, metrics.registry)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        ctx = with_feed(await open_context(settings, store), feeds_of(settings))
        ctx = with_dicom(ctx, sources_of(settings))
        endpoint.serve(ctx)
        dicomweb.serve(ctx)
        assert ctx.feed is not None
        assert ctx.dicom is not None
        tasks = (work_when_asked(ctx), ctx.feed.run(), ctx.dicom.fold.run())
        behind = [asyncio.create_task(each) for each in tasks]
        door.open(receiver(ctx.feed))
        yield
        await door.close()
        await ended(behind)
        await ctx.feed.idle()
        access_log.flush()
        await store.close()

    app = Application(
        {base_path: endpoint, paths.BASE: dicomweb},
        lifespan=lifespan,
        title="FHIR R4 server",
        version=version("fhir-server"),
    )
    document = openapi(base_url=settings.base_url, title=app.title, version=app.version)
    app.openapi = lambda: document  # type: ignore[method-assign]  # how FastAPI is given another document
    health = health_routes(store.ping, lambda: door.works, partial(dicom_port.answers, settings))
    app.router.routes += [*health, metrics_route(metrics), docs_route(document)]
    return app


async def ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Returns when the tasks have ended. The driver may turn a cancellation into an outage, which they outlive: they
    are asked again until they hear it.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=1)
    await asyncio.gather(*tasks, return_exceptions=True)


def open_store(settings: Settings) -> Store:
    """The store on the MongoDB that the settings name; connects at first use."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        settings.mongodb_uri.get_secret_value(),
        serverSelectionTimeoutMS=round(settings.mongodb_timeout_seconds * 1000),
        heartbeatFrequencyMS=HEARTBEAT * 1000,
        connectTimeoutMS=SILENCE * 1000,
        maxPoolSize=settings.mongodb_pool_size,
        tz_aware=True,
    )
    return Store(client, settings.mongodb_database, search_seconds=settings.search_timeout_seconds)


async def open_context(settings: Settings, store: Store, *, any_format: bool = False) -> Context:
    """What interactions are given; waits for MongoDB, and ends the process when it does not come, or (unless
    `any_format`) when what is stored there was indexed in another way than this release does.
    """
    secret = await _prepared(store)
    difference = None if any_format else search_format.difference(await search_format.stored(store))
    if difference is not None:
        log.error("gave_up", reason=difference)
        raise SystemExit(3)
    site = Site(settings.base_url, settings.default_timezone)
    parameters = OwnParameters(store, site)
    site = await parameters.newest()
    source = Source(f"fhir-server {version('fhir-server')} on {socket.gethostname()}", settings.base_url)
    return Context(
        settings=settings,
        store=store,
        audit=AuditWriter(store, source, site),
        site=site,
        parameters=parameters,
        secret=secret,
    )


async def _prepared(store: Store) -> bytes:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            await store.prepare()
            await own_parameters.prepare(store)
            return await store.secret(secrets.token_bytes(32))
        except FHIRError as fault:
            log.warning("waiting_for_mongodb", pid=os.getpid(), reason=str(fault))
        await asyncio.sleep(1)
    text = f"MongoDB could not be reached for {PATIENCE} seconds. Check FHIR_SERVER_MONGODB_URI and MongoDB's own log"
    log.error("gave_up", reason=text)
    raise SystemExit(3)
