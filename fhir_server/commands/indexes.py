"""`fhir-server indexes`: those there should be, those there are, and how they come together again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from fhir_server import log
from fhir_server.app import open_store
from fhir_server.commands.database import database
from fhir_server.commands.serve import fail, read_settings
from fhir_server.settings import Settings
from fhir_server.store.drift import Drift
from fhir_server.store.faults import faults
from fhir_server.store.store import Store
from resources.outcome import FHIRError


def indexes(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="Make what is missing, make anew what differs, drop what is not expected."
        ),
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded MongoDB.")] = None,
    mongodb_uri: Annotated[
        str | None, typer.Option(help="A replica set or sharded cluster instead of the embedded MongoDB.")
    ] = None,
) -> None:
    """List the indexes of each collection with their size. Exit code 1 if they are not as they should be."""
    settings = read_settings(data_dir=data_dir, mongodb_uri=mongodb_uri)
    log.configure("ERROR", settings.log_format)
    with database(settings) as connected:
        try:
            drifted = asyncio.run(_listed(connected, fix=fix))
        except FHIRError as fault:
            fail(str(fault))
    if drifted:
        raise typer.Exit(1)


async def _listed(settings: Settings, *, fix: bool) -> bool:
    """Prints them; whether anything is amiss at the end."""
    store = open_store(settings)
    try:
        with faults():
            found = await store.collections.drifts()
            if fix:
                for drift in found:
                    typer.echo(_told(drift))
                    await store.collections.mend(drift)
                found = await store.collections.drifts()
            for name in await store.stored_types():
                await _show(store, name)
    finally:
        await store.close()
    for drift in found:
        typer.secho(_told(drift), fg="red", err=True)
    if found and not fix:
        typer.echo(
            "A server makes what is missing when it starts. For the rest: fhir-server indexes --fix", err=True
        )
    return bool(found)


async def _show(store: Store, name: str) -> None:
    stats = await store.database.command("collStats", name)
    typer.echo(f"{name}: {stats['count']:,} documents, {_mb(stats['storageSize'])}")
    for index, size in sorted(stats["indexSizes"].items()):
        typer.echo(f"  {index:<28} {_mb(size):>12}")


def _mb(size: float) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _told(drift: Drift) -> str:
    names = {kind: ", ".join(some) for kind, some in drift.told().items() if kind != "collection"}
    return f"{drift.collection}: " + "; ".join(f"{kind} {some}" for kind, some in names.items())
