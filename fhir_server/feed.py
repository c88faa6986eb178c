"""The feed of HL7 v2 on this server: what `importers.hl7v2` is handed, put together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from fhir_server.context import FhirRequest, Result
from fhir_server.find import finder
from fhir_server.operations.feed_answers import refusal
from fhir_server.store.documents import now
from fhir_server.store.feed import MongoFeed
from fhir_server.submit import agent_of, submitter
from importers.hl7v2.ack import Answering
from importers.hl7v2.config import Feeds
from importers.hl7v2.feed import Feed
from importers.hl7v2.feeds import FeedsError, load
from importers.hl7v2.issue import INTERNAL_ERROR, Issue
from importers.hl7v2.meaning import Interpreter
from importers.hl7v2.process import Process, sender_of
from importers.hl7v2.reading import Reader
from importers.hl7v2.rows import Answered, Peer, Row
from importers.hl7v2.work import Work
from importers.mllp.blocks import received
from importers.mllp.receive import Answer, Broken, Connection, Receive

if TYPE_CHECKING:
    from fhir_server.context import Context
    from fhir_server.settings import Settings

_BROKEN: dict[Broken, Issue] = {
    "truncated": Issue("", "The connection ended before the message did", INTERNAL_ERROR, "error"),
    "unfinished": Issue("", "The next message began before this one ended", INTERNAL_ERROR, "error"),
    "too-large": Issue("", "The message is larger than this server takes", INTERNAL_ERROR, "error"),
}


def feeds_of(settings: Settings) -> Feeds:
    """What the settings say about senders; FeedsError where their file cannot be used."""
    return load(Path(settings.feeds_file).expanduser()) if settings.feeds_file else Feeds()


def fault(settings: Settings) -> str | None:
    """Why messages could not be taken under these settings, found out before anything is started; None where they could."""
    try:
        feeds_of(settings)
    except FeedsError as wrong:
        return str(wrong)
    return None


def with_feed(ctx: Context, feeds: Feeds) -> Context:
    """The context with a feed that writes through it."""
    return replace(ctx, feed=open_feed(ctx, feeds))


def open_feed(ctx: Context, feeds: Feeds) -> Feed:
    """A feed on this server; `feeds` are the settings of those who send to it."""
    days = ctx.settings.feed_retention_days
    # What is new gets an id made of its key, by PUT: that is not for a setting about clients to forbid.
    ctx = replace(ctx, settings=ctx.settings.with_changes(update_create=True))

    def answering(application: str, facility: str) -> Answering:
        config = feeds.of(application, facility)
        return Answering(config.ack_mode, config.default_version or "2.5.1", now)

    async def tell(row: Row) -> None:
        await told(ctx, row)

    interpreter = Interpreter(feeds, now)
    return Feed(
        Work(
            acceptable=interpreter.accepts,
            store=MongoFeed(ctx.store, retention=timedelta(days=days) if days else None),
            read=Reader(feeds),
            process=Process(interpreter, finder(ctx), submitter(ctx, plain=True)),
            tell=tell,
            now=now,
            new_id=lambda: token_hex(16),
            answering=answering,
            patience=ctx.settings.feed_patience_seconds,
        )
    )


async def told(ctx: Context, row: Row) -> None:
    """Leaves the AuditEvent of a message: who sent it from where, its MSH-10, and what came of it."""
    about = {"sender": row.sender, "control-id": row.control_id, "type": row.type, "duplicate-of": row.of}
    request = FhirRequest(
        "operation",
        operation="process-hl7v2",
        query=tuple((name, value) for name, value in about.items() if value),
        agent=agent_of(sender_of(row)),
        request_id=row.id,
    )
    fault = refusal(Answered(row.answers, row))
    if fault is not None:
        await ctx.audit.failure(request, fault)
        return
    patients = tuple(each for each in row.patients if each.startswith("Patient/"))
    async with ctx.store.unit() as unit:
        ctx.audit.success(unit, request, Result(200, changed=False, patients=patients))
        await unit.commit()


def receiver(feed: Feed) -> Receive:
    """What the MLLP listener hands messages to."""

    async def receive(
        raw: bytes, connection: Connection, answer: Answer, *, broken: Broken | None = None
    ) -> list[bytes]:
        peer = Peer("mllp", connection.address, identity=connection.certificate)
        if broken is not None:
            return list((await feed.keep(raw, peer, _BROKEN[broken])).answers)

        async def one(message: bytes, at_once: Answer | None) -> list[bytes]:
            answered = await feed.receive(message, peer, at_once=at_once)
            return list(answered.answers[len(answered.row.given) :])

        return await received(raw, answer, one)

    return receive
