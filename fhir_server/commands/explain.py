"""`fhir-server explain`: how a search is answered, and what it costs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from fhir_server import log
from fhir_server.commands.database import database
from fhir_server.commands.opened import opened
from fhir_server.commands.serve import fail, read_settings
from fhir_server.operations.explain import as_text, steps
from fhir_server.settings import Settings
from resources.outcome import FHIRError


def explain(
    search: Annotated[
        str,
        typer.Argument(
            help="As in a URL, below the base: 'Observation?patient=Patient/1&code=718-7', '?_type=Patient,Group'"
        ),
    ],
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded MongoDB.")] = None,
    mongodb_uri: Annotated[
        str | None, typer.Option(help="A replica set or sharded cluster instead of the embedded MongoDB.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="FHIR base URL of the servers on this database.")
    ] = None,
) -> None:
    """Show each step of a search: the filter, the index it uses, what it reads, and how long that takes."""
    settings = read_settings(data_dir=data_dir, mongodb_uri=mongodb_uri, base_url=base_url)
    log.configure("ERROR", settings.log_format)
    with database(settings) as connected:
        try:
            typer.echo(asyncio.run(_explained(connected, search)))
        except FHIRError as fault:
            fail(str(fault))


async def _explained(settings: Settings, search: str) -> str:
    async with opened(settings) as ctx, ctx.store.unit() as unit:
        return as_text(await steps(ctx, unit, search))
