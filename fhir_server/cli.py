"""The command line: a list of commands, each in its own file of `fhir_server.commands`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from fhir_server.commands.explain import explain
from fhir_server.commands.feed import feed
from fhir_server.commands.indexes import indexes
from fhir_server.commands.load import load
from fhir_server.commands.reindex import reindex
from fhir_server.commands.serve import serve

app = typer.Typer(
    name="fhir-server",
    help="A FHIR R4 server on MongoDB.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(load)
app.command()(explain)
app.command()(indexes)
app.command()(reindex)
app.add_typer(feed, name="feed")


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fhir-server {version('fhir-server')}")
        raise typer.Exit


@app.callback()
def _commands(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Say which version this is.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """A FHIR R4 server on MongoDB."""


if __name__ == "__main__":
    app()
