"""`fhir-server serve`: the embedded MongoDB where none is named, then the workers, then one line that says so."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import structlog
import typer
import uvicorn
from pydantic import ValidationError
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

import fhir_server.dicom
import fhir_server.feed
import fhir_server.mllp
from fhir_server import dicom_port, log
from fhir_server.app import create_app
from fhir_server.commands.collector import look_seldom
from fhir_server.commands.dicom_process import dicom_listener
from fhir_server.rest.metrics import BESIDE_DIR, MULTIPROCESS_DIR
from fhir_server.rest.protocol import FHIRProtocol
from fhir_server.settings import PREFIX, Settings, refuse_open_bind
from fhir_server.store.mongod import EmbeddedMongod
from fhir_server.store.mongod_binary import MongodError

_log = structlog.stdlib.get_logger(__name__)

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(  # noqa: PLR0917  they are options, given by name
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback only.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded MongoDB.")] = None,
    mongodb_uri: Annotated[
        str | None, typer.Option(help="A replica set or sharded cluster instead of the embedded MongoDB.")
    ] = None,
    mllp: Annotated[int | None, typer.Option(help="TCP port for HL7 v2 messages over MLLP.")] = None,
    dicom: Annotated[int | None, typer.Option(help="TCP port for DICOM associations (C-STORE).")] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM. Every setting is also an environment variable FHIR_SERVER_*."""
    settings = read_settings(
        host=host,
        port=port,
        workers=workers,
        data_dir=data_dir,
        mongodb_uri=mongodb_uri,
        mllp_port=mllp,
        dicom_port=dicom,
    )
    refused = (
        refuse_open_bind(settings)
        or fhir_server.mllp.refusal(settings)
        or fhir_server.mllp.fault(settings)
        or dicom_port.refusal(settings)
        or dicom_port.fault(settings)
        or fhir_server.feed.fault(settings)
        or fhir_server.dicom.fault(settings)
    )
    if refused:
        fail(refused)
    log.configure(settings.log_level, settings.log_format)
    with _ending_signals():
        listener = _listen(settings)
        settings = settings.with_changes(port=listener.getsockname()[1])
        if settings.mongodb_uri.get_secret_value():
            _run(settings, listener, "the MongoDB of FHIR_SERVER_MONGODB_URI")
        else:
            _run_embedded(settings, listener)


def read_settings(**options: Any) -> Settings:
    """The settings from the environment and the options that were given; ends with a readable text if wrong."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            name = "_".join(map(str, fault["loc"]))
            typer.secho(f"{PREFIX}{name.upper()}: {fault['msg']}", fg="red", err=True)
        raise typer.Exit(2) from None


def fail(text: str) -> NoReturn:
    typer.secho(text, fg="red", err=True)
    raise typer.Exit(1)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        fail(
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. "
            f"Stop what uses it, or choose another with --port."
        )


def _run_embedded(settings: Settings, listener: socket.socket) -> None:
    mongod = EmbeddedMongod(
        settings.data_dir, cache_mb=settings.embedded_cache_mb, port=settings.embedded_port
    )
    try:
        uri = mongod.start()
        _run(settings.with_changes(mongodb_uri=uri), listener, f"embedded MongoDB in {settings.data_dir}")
    except MongodError as error:
        fail(str(error))
    finally:
        # Impatience must not turn a clean stop into a crash.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        mongod.stop()


def _run(settings: Settings, listener: socket.socket, database: str) -> None:
    threading.Thread(target=_announce, args=(settings, database), name="announce", daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="fhir-server-metrics-") as folder:
        if settings.workers > 1:
            os.environ[MULTIPROCESS_DIR] = folder
        os.environ[BESIDE_DIR] = folder
        with dicom_listener(settings, folder):
            _serve(settings, listener)


def _serve(settings: Settings, listener: socket.socket) -> None:
    if settings.workers == 1:
        look_seldom()
        config = _config(settings, partial(create_app, settings))
        uvicorn.Server(config).run(sockets=[listener])
        return
    os.environ.update(settings.environment())
    parent = Multiprocess(_config(settings, "fhir_server.commands.worker:application"), [listener])
    # Its own meaning of SIGHUP is a restart; here a closed terminal ends the server, as with one worker.
    signal.signal(signal.SIGHUP, lambda _number, _frame: parent.should_exit.set())
    parent.run()
    if any(process.exitcode == STARTUP_FAILURE for process in parent.processes):
        fail("The workers could not start; the log says why.")


def _config(settings: Settings, factory: Any) -> uvicorn.Config:
    return uvicorn.Config(
        factory,
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http=FHIRProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whose address an audit event names is not for a client to choose.
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.shutdown_timeout_seconds,
        # A worker that is busy with one large body is not dead; one that was killed is noticed within this time.
        timeout_worker_healthcheck=10,
    )


def _announce(settings: Settings, database: str) -> None:
    """One line on stdout once a client would be served."""
    started = time.monotonic()
    warned = False
    while not _is_ready(settings):
        if not warned and time.monotonic() - started > 10:
            _log.warning("not ready yet: MongoDB cannot be reached", database=database)
            warned = True
        time.sleep(0.05)
    typer.echo(f"FHIR R4 server is ready on {settings.base_url} ({database}). Ctrl-C stops it.")
    sys.stdout.flush()


def _is_ready(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _ending_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the process as Ctrl-C does: through every `finally`, with exit code 0."""

    def end(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            # A closed terminal. While uvicorn runs, SIGTERM is what it knows.
            signal.raise_signal(signal.SIGTERM)
        else:
            raise SystemExit(0)

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
