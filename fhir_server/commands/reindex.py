"""`fhir-server reindex`: the search values of what is stored, made anew, while servers run or without any.

The job is one for all processes on a database. What was interrupted goes on where it stopped: by a server that
runs, or by the same command again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from capability.table import TABLE
from fhir_server import log
from fhir_server.commands.database import database
from fhir_server.commands.opened import opened
from fhir_server.commands.serve import fail, read_settings
from fhir_server.interactions import reindexing
from fhir_server.operations import reindex as operation
from fhir_server.operations.reindex_job import Progress as Progressed
from fhir_server.operations.reindex_job import holder_name, work
from fhir_server.settings import Settings
from fhir_server.store import search_format
from fhir_server.store.documents import Document
from resources.outcome import FHIRError

_LOOK = 0.5
"""Seconds between two looks at a job that another process works on"""
_EVERY = 5.0
"""Seconds between two lines where there is no terminal"""


def reindex(  # noqa: PLR0917  they are options, given by name
    types: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TYPE]...", help="Resource types; default: those that need it.", show_default=False
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Also what is indexed by all search parameters already.")
    ] = False,
    per_second: Annotated[
        int | None,
        typer.Option(min=1, help="Most resources in a second; default: FHIR_SERVER_REINDEX_PER_SECOND."),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded MongoDB.")] = None,
    mongodb_uri: Annotated[
        str | None, typer.Option(help="A replica set or sharded cluster instead of the embedded MongoDB.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="FHIR base URL of the servers on this database.")
    ] = None,
) -> None:
    """Make stored resources searchable by all search parameters. Exit code 1 if any could not be."""
    wanted = types or []
    unknown = [each for each in wanted if each not in TABLE.types]
    if unknown:
        fail(f"No such resource type: {', '.join(unknown)}. Names are case-sensitive, for example Patient.")
    settings = read_settings(data_dir=data_dir, mongodb_uri=mongodb_uri, base_url=base_url)
    log.configure("ERROR" if settings.log_level == "ERROR" else "WARNING", settings.log_format)
    with database(settings) as connected:
        try:
            job = asyncio.run(_reindex(connected, wanted, everything=everything, per_second=per_second))
        except FHIRError as fault:
            fail(str(fault))
        except KeyboardInterrupt:
            fail("Interrupted. A running server, or the same command again, does the rest.")
    typer.echo(
        f"Indexed {job['changed']:,} of {job['seen']:,} resources: {', '.join(job['types']) or 'nothing to do'}."
    )
    if job["failed"]:
        fail(f"Could not be indexed: {', '.join(job['failed'])}")


async def _reindex(
    settings: Settings, types: list[str], *, everything: bool, per_second: int | None
) -> Document:
    async with opened(settings, any_format=True) as ctx:
        store = ctx.store
        found = await search_format.stored(store)
        if found > search_format.FORMAT:
            fail(search_format.difference(found) or "")
        changed = found != search_format.FORMAT
        await operation.begin(store, ctx.site, [] if changed else types, everything=everything or changed)
        holder = holder_name()
        with _shown() as show:
            while True:
                job = await work(ctx, holder, per_second=per_second or 0, progress=show)
                job = job or await reindexing.state(store)
                assert job is not None
                if job["status"] != reindexing.RUNNING:
                    break
                show(job)
                await asyncio.sleep(_LOOK)
        if changed and job["status"] == reindexing.COMPLETED:
            await search_format.keep(store)
        return job


@contextmanager
def _shown() -> Iterator[Progressed]:
    """A bar on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not sys.stderr.isatty():
        told = time.monotonic()

        def say(job: Document) -> None:
            nonlocal told
            if time.monotonic() - told > _EVERY:
                told = time.monotonic()
                console.print(f"{job['seen']:,} resources, {reindexing.percent(job)} %")

        yield say
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def draw(job: Document) -> None:
            total = sum(job["total"].values()) if job["total"] else None
            progress.update(task, completed=job["seen"], total=total, description=", ".join(job["left"][:1]))

        yield draw
