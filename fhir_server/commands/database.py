"""A MongoDB for a command."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from fhir_server.commands.serve import fail
from fhir_server.settings import Settings
from fhir_server.store.mongod import EmbeddedMongod
from fhir_server.store.mongod_binary import MongodError
from fhir_server.store.mongod_folder import running_uri

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """The settings with a MongoDB that answers: the one they name, that of a running server, or one of our own."""
    if settings.mongodb_uri.get_secret_value():
        _check(settings)
        yield settings
        return
    try:
        running = running_uri(settings.data_dir)
        if running is not None:
            yield settings.with_changes(mongodb_uri=running)
            return
        mongod = EmbeddedMongod(
            settings.data_dir, cache_mb=settings.embedded_cache_mb, port=settings.embedded_port
        )
        with _deaf():
            uri = mongod.start()
        try:
            yield settings.with_changes(mongodb_uri=uri)
        finally:
            with _deaf():
                mongod.stop()
    except MongodError as error:
        fail(str(error))


def _check(settings: Settings) -> None:
    """A wrong address is told at once, not when every worker has waited for it."""
    try:
        uri = settings.mongodb_uri.get_secret_value()
        with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        # Its text would name hosts, and may quote the connection string.
        fail(f"MongoDB cannot be reached at FHIR_SERVER_MONGODB_URI: {type(error).__name__}.")


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C in here must not leave a mongod behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
