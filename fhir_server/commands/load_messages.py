"""`fhir-server load *.hl7`: messages of HL7 v2 in files, one or a batch in each, through the feed as over MLLP.

What came in before, by whatever door, is known by sender, MSH-10 and content: the same command again goes on where it
stopped. Files are taken in their order, and so are the messages in them; what is about different patients is in work
at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from fhir_server.commands.load_piece import Failure, Outcome
from fhir_server.commands.load_report import Report
from fhir_server.commands.load_worker import user
from fhir_server.commands.opened import opened
from fhir_server.commands.serve import fail
from fhir_server.feed import fault, feeds_of, with_feed
from fhir_server.settings import Settings
from fhir_server.store.documents import now
from importers.files import Refused, Source
from importers.hl7v2.batch import split
from importers.hl7v2.issue import Issue
from importers.hl7v2.meaning import Interpreter
from importers.hl7v2.process import Refused as NotProcessed
from importers.hl7v2.reading import Reader as Messages
from importers.hl7v2.rows import OPEN, Answered, Peer
from importers.ndjson import Reader
from resources import validation
from resources.codec import Json
from resources.outcome import FHIRError

AT_ONCE = 32
"""Messages in work at the same time"""


def load_messages(
    settings: Settings, sources: Sequence[Source], report: Report, *, again: bool, dry_run: bool
) -> str | None:
    """Loads the messages of all files; why it ended early, if it did. `again` replays what came in before."""
    wrong = fault(settings)
    if wrong is not None:
        fail(wrong)
    work = _judge(settings, sources, report) if dry_run else _load(settings, sources, report, again=again)
    try:
        with report.running(sum(source.size for source in sources)):
            return asyncio.run(work)
    except KeyboardInterrupt:
        return "SIGINT"
    except FHIRError as away:
        report.say(str(away))
        return "MongoDB did not come back"


def _messages(sources: Iterable[Source], report: Report) -> Iterable[tuple[Source, list[bytes]]]:
    """The messages of each file. What is wrong with the batch around them is told, and stops none of them."""
    with Reader() as reader:
        for source in sources:
            raw = reader.whole(source)
            if isinstance(raw, Refused):
                report.refuse(raw)
                continue
            batch = split(raw)
            for issue in batch.issues:
                report.say(f"{source.name}: {_text(issue)}")
            yield source, batch.messages


async def _load(settings: Settings, sources: Sequence[Source], report: Report, *, again: bool) -> str | None:
    async with opened(settings) as ctx:
        feed = with_feed(ctx, feeds_of(settings)).feed
        assert feed is not None
        free = asyncio.Semaphore(AT_ONCE)
        away = asyncio.Event()

        async def one(source: Source, number: int, raw: bytes) -> None:
            async with free:
                if away.is_set():
                    return
                answered = await feed.receive(raw, Peer("file", software=source.name, identity=user()))
                if again and answered.of is not None:
                    answered = await feed.replay(answered.of) or answered
            if answered.row.status in OPEN or answered.row.finished is None:
                away.set()
            report.add(_outcome(f"{source.name} message {number}", answered))

        for source, messages in _messages(sources, report):
            async with asyncio.TaskGroup() as group:
                for number, raw in enumerate(messages, 1):
                    group.create_task(one(source, number, raw))
            report.advance(source.size)
            if away.is_set():
                return "MongoDB did not come back"
        await feed.idle()
    return None


def _outcome(name: str, answered: Answered) -> Outcome:
    row = answered.row
    if row.status == "duplicate" and answered.of is not None and answered.of.status == "processed":
        return Outcome(before=1)
    known = answered.of or row
    if known.status == "processed":
        return Outcome(loaded=len(known.written))
    return Outcome(failures=_failures(name, known.control_id, known.issues))


def _failures(name: str, control_id: str, issues: Iterable[Issue]) -> list[Failure]:
    told = [_text(issue) for issue in issues if issue.severity in {"error", "fatal"}]
    named = f"{name} (MSH-10 {control_id})" if control_id else name
    return [Failure(named, named, "; ".join(told) or "was not processed")]


def _text(issue: Issue) -> str:
    return f"{issue.place}: {issue.text}" if issue.place else issue.text


# Without a database


async def _judge(settings: Settings, sources: Sequence[Source], report: Report) -> str | None:
    """What each message would become, were nothing stored yet."""
    feeds = feeds_of(settings)
    read, interpret = Messages(feeds), Interpreter(feeds, now)
    for source, messages in _messages(sources, report):
        for number, raw in enumerate(messages, 1):
            name = f"{source.name} message {number}"
            found = read(raw)
            if found.message is None:
                report.add(Outcome(failures=_failures(name, found.row.control_id, [found.fault])))
                continue
            try:
                meaning = await interpret(found.message, found.row, _nothing)
            except NotProcessed as refused:
                report.add(Outcome(failures=_failures(name, found.row.control_id, refused.issues)))
                continue
            report.add(_judged(name, meaning.bundle))
        report.advance(source.size)
    return None


async def _nothing(queries: Sequence[tuple[str, str]]) -> list[list[Json]]:
    return [[] for _ in queries]


def _judged(name: str, bundle: Json | None) -> Outcome:
    if bundle is None:
        return Outcome()
    wrong = [issue for issue in validation.validate(bundle) if issue.severity in {"error", "fatal"}]
    if not wrong:
        return Outcome(loaded=len(bundle["entry"]))
    told = "; ".join(f"{', '.join(issue.expression)}: {issue.diagnostics}" for issue in wrong[:5])
    return Outcome(failures=[Failure(name, name, told)])
