"""`fhir-server feed`: HL7 v2 messages that came in, what became of them, and one more try.

The same operations as over REST ($feed, $feed-message, $feed-replay), audited in the same way.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from fhir_server import log
from fhir_server.commands.database import database
from fhir_server.commands.feed_shown import show_list, show_message, show_outlook, show_replayed
from fhir_server.commands.load_worker import user
from fhir_server.commands.opened import opened
from fhir_server.commands.serve import fail, read_settings
from fhir_server.context import Agent, FhirRequest
from fhir_server.feed import fault, feeds_of, with_feed
from fhir_server.settings import Settings
from fhir_server.store.documents import new_id
from fhir_server.system.dispatch import answer
from resources.codec import Json
from resources.outcome import FHIRError

feed = typer.Typer(
    help="HL7 v2 messages that came in, what became of them, and one more try.", no_args_is_help=True
)

Query = list[tuple[str, str]]

Id = Annotated[str, typer.Argument(metavar="ID", help="Of a message, as `feed list` shows it.")]
MaybeId = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]", help="Of a message; without it those that the options choose.", show_default=False
    ),
]
Status = Annotated[
    str | None,
    typer.Option(help="received, retrying, processed, duplicate, error, rejected; several with commas."),
]
Sender = Annotated[str | None, typer.Option(help="MSH-3 and MSH-4 with a bar between: 'LAB|HOSP'")]
Patient = Annotated[str | None, typer.Option(help="A number in PID-3, or Patient/id.")]
Since = Annotated[str | None, typer.Option(help="A date or time: 2026-11-20 or 2026-11-20T08:00:00Z")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the embedded MongoDB.")]
MongoDB = Annotated[
    str | None, typer.Option(help="A replica set or sharded cluster instead of the embedded MongoDB.")
]


@feed.command("list")
def list_(  # noqa: PLR0917  they are options, given by name
    status: Status = None,
    sender: Sender = None,
    patient: Patient = None,
    since: Since = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters: --status error,rejected")] = False,
    count: Annotated[int, typer.Option(min=1, max=500, help="How many, the newest first.")] = 30,
    data_dir: DataDir = None,
    mongodb_uri: MongoDB = None,
) -> None:
    """Messages and what became of them, the newest first."""
    chosen = _query(status="error,rejected" if dead else status, sender=sender, patient=patient, since=since)
    show_list(_asked("feed", [*chosen, ("_count", str(count))], data_dir, mongodb_uri))


@feed.command()
def show(message: Id, data_dir: DataDir = None, mongodb_uri: MongoDB = None) -> None:
    """One message in full: its segments, what is wrong where, what was written, what was answered."""
    show_message(_asked("feed-message", [("id", message)], data_dir, mongodb_uri))


@feed.command()
def diff(  # noqa: PLR0917  they are options, given by name
    message: MaybeId = None,
    status: Status = None,
    sender: Sender = None,
    patient: Patient = None,
    since: Since = None,
    data_dir: DataDir = None,
    mongodb_uri: MongoDB = None,
) -> None:
    """What a replay would change now. Writes nothing. Without ID or --status: of the dead letters."""
    chosen = _query(id=message, status=status, sender=sender, patient=patient, since=since)
    show_outlook(_asked("feed-replay", chosen, data_dir, mongodb_uri))


@feed.command()
def replay(  # noqa: PLR0917  they are options, given by name
    message: MaybeId = None,
    status: Status = None,
    sender: Sender = None,
    patient: Patient = None,
    since: Since = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongoDB = None,
) -> None:
    """Process messages again, after a look at what that changes. Exit code 1 if any is refused again."""
    chosen = _query(id=message, status=status, sender=sender, patient=patient, since=since)
    if not yes:
        found = show_outlook(_asked("feed-replay", chosen, data_dir, mongodb_uri))
        if not found:
            return
        typer.confirm(f"Replay {found} message{'' if found == 1 else 's'}?", abort=True)
    done = _asked("feed-replay", [*chosen, ("commit", "true")], data_dir, mongodb_uri)
    if not show_replayed(done):
        raise typer.Exit(1)


def _query(**chosen: str | None) -> Query:
    return [(name, value) for name, value in chosen.items() if value]


def _asked(operation: str, query: Query, data_dir: Path | None, mongodb_uri: str | None) -> Json:
    """The answer of an operation, on the database of the settings; ends with a readable text where it is refused."""
    settings = read_settings(data_dir=data_dir, mongodb_uri=mongodb_uri)
    log.configure("ERROR", settings.log_format)
    wrong = fault(settings)
    if wrong is not None:
        fail(wrong)
    with database(settings) as connected:
        try:
            return asyncio.run(_performed(connected, operation, query))
        except FHIRError as refused:
            fail(str(refused))


async def _performed(settings: Settings, operation: str, query: Query) -> Json:
    async with opened(settings) as ctx:
        whole = with_feed(ctx, feeds_of(settings))
        asked = FhirRequest(
            "operation",
            operation=operation,
            query=tuple(query),
            agent=Agent(user_agent="fhir-server feed", who={"display": user()}),
            request_id=new_id(),
        )
        result = await answer(whole, asked)
        assert result.resource is not None
        assert whole.feed is not None
        await whole.feed.idle()
        return result.resource
