"""One worker process of a load: takes packages of pieces from a pipe, several at once, and answers with outcomes."""

from __future__ import annotations

import asyncio
import gc
import getpass
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop

from fhir_server import log
from fhir_server.app import open_context, open_store
from fhir_server.commands.load_abandoned import named
from fhir_server.commands.load_packages import Package
from fhir_server.commands.load_piece import Loading, Outcome, judged
from fhir_server.context import Context
from fhir_server.settings import Settings
from fhir_server.system.done import done
from importers.submit import Sender
from resources.outcome import FHIRError


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a package; number -1 with a text where the worker cannot work at all."""

    number: int
    outcome: Outcome
    fatal: str = ""


def work(pipe: Connection, settings: Settings, salt: str, dry_run: bool) -> None:
    """Works until the pipe is closed, or says None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers in order
    log.configure("ERROR" if settings.log_level == "ERROR" else "WARNING", settings.log_format)
    # Resources are trees that live briefly: looking for cycles in all of them finds none and takes its time.
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    uvloop.run(_judge(pipe) if dry_run else _load(pipe, settings, salt))
    # Without waiting for the reading thread, which may sit in a pipe that the parent still holds open.
    os._exit(0)


async def _judge(pipe: Connection) -> None:
    packages = _packages(pipe)
    while (package := await packages.get()) is not None:
        outcome = Outcome()
        for piece in package.pieces:
            outcome.add(judged(piece))
        pipe.send(Answer(package.number, outcome))


async def _load(pipe: Connection, settings: Settings, salt: str) -> None:
    uri = settings.mongodb_uri.get_secret_value()
    store = open_store(settings.with_changes(mongodb_uri=named(uri)))
    try:
        ctx = await open_context(settings, store)
    except FHIRError as fault:
        pipe.send(Answer(-1, Outcome(), str(fault)))
        return
    loading = Loading(ctx, _sender(), salt)
    packages = _packages(pipe)
    running: set[asyncio.Task[None]] = set()
    while (package := await packages.get()) is not None:
        task = asyncio.create_task(_answer(pipe, ctx, loading, package))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    await store.close()


def _packages(pipe: Connection) -> asyncio.Queue[Package | None]:
    """What the parent sends, read by a thread; None at the end, also when the parent is gone."""
    packages: asyncio.Queue[Package | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        package: Package | None = None
        while True:
            try:
                package = pipe.recv()
            except (EOFError, OSError):
                package = None
            loop.call_soon_threadsafe(packages.put_nowait, package)
            if package is None:
                return

    threading.Thread(target=read, name="packages", daemon=True).start()
    return packages


async def _answer(pipe: Connection, ctx: Context, loading: Loading, package: Package) -> None:
    outcome = Outcome()
    try:
        marked = await done(ctx.store, map(loading.key, package.pieces))
    except FHIRError:
        marked = set()  # who performs the pieces waits for the database
    left = [piece for piece in package.pieces if loading.key(piece) not in marked]
    outcome.before = len(package.pieces) - len(left)
    for each in await asyncio.gather(*map(loading.load, left)):
        outcome.add(each)
    try:
        pipe.send(Answer(package.number, outcome))
    except OSError:
        return  # the parent is gone; what is committed is marked


def _sender() -> Sender:
    return Sender(software="fhir-server load", who={"display": user()})


def user() -> str:
    """Who runs the command, for the audit trail."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process without a name, in a container
        return f"uid {os.getuid()}"
