"""The feed: what arrives is kept first, then done once, in order, and answered when that is durable.

No I/O of its own: the store, the audit trail and what is written come as Protocols. Every state a process can die
in is one from which another goes on: a row that is open and nobody works on is worked on again, and what was
committed under its key is not done twice (docs/hl7v2.md#order-and-loss, docs/adr/0021-hl7v2-feed.md).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from importers.hl7v2 import ack
from importers.hl7v2.er7 import Message
from importers.hl7v2.in_work import InWork
from importers.hl7v2.issue import Issue
from importers.hl7v2.patience import earlier_in_work, patiently
from importers.hl7v2.process import Meaning, Refused
from importers.hl7v2.reading import MOST_UNREADABLE, Read, Reader
from importers.hl7v2.replies import ack_code, refused, replies
from importers.hl7v2.rows import OPEN, REUSED, UNREADABLE, Answered, FeedStore, Peer, Row
from importers.hl7v2.work import AtOnce, Work
from importers.submit import Find
from resources.outcome import FHIRError

MOST_ATTEMPTS = 50
"""How often a message is tried while MongoDB answers and yet it cannot be written"""
PAUSE = 1.0
"""Seconds between two looks for what others left behind"""
LARGE = 4 * 1024 * 1024
"""Bytes from which on a message is kept before its place in line is taken"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a message would do, and the row it would get."""

    row: Row
    meaning: Meaning


class Feed:
    """Takes messages; `run` besides, as long as it does, takes over what processes that died left behind."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._in_work = InWork(work.store)
        self._number = 0

    @property
    def store(self) -> FeedStore:
        """What is kept of messages."""
        return self._work.store

    @property
    def read(self) -> Reader:
        """How bytes become messages."""
        return self._work.read

    @property
    def find(self) -> Find:
        """What is stored, for the server's own use."""
        return self._work.process.find

    async def receive(
        self, raw: bytes, peer: Peer, *, charset: str | None = None, at_once: AtOnce | None = None
    ) -> Answered:
        """Keeps the message, does what it says, and tells what to answer.

        Goes on when the caller is cancelled; the same message, sent again meanwhile, waits for the same end. To a
        sender who wants to know that it is kept, `at_once` tells so before it is processed (`row.given`).
        """
        read = self._work.read(raw, charset)
        row = self._row(raw, peer, read)
        if read.message is None:
            return await self.keep(raw, peer, read.fault)
        if len(raw) > LARGE:
            try:
                until = time.monotonic() + self._work.patience
                await patiently(lambda: self._work.store.put(row.id, raw), until)
            except FHIRError as away:
                return self._refused(replace(row, status="rejected"), raw, away)
        working = self._in_work.task(row.id)
        if working is None:
            work = self._first(row, raw, read.message, at_once)
            return await asyncio.shield(self._in_work.begin(row, work))
        first = await asyncio.shield(working)
        return await self._repeated(row, raw, first)

    async def keep(self, raw: bytes, peer: Peer, fault: Issue) -> Answered:
        """Keeps what cannot be read as a message, or did not arrive whole, for a person to look at."""
        row = self._row(raw, peer, self._work.read.header_of(raw, fault))
        row.id = self._work.new_id()
        row.status, row.issues, row.flags = "rejected", (fault,), (UNREADABLE,)
        self._close(row, tuple(ack.reject(raw, fault, answering=self._answering(row))))
        with suppress(FHIRError):  # it is refused anyway: what is lost is a thing to look at
            await self._work.store.note(row, raw[:MOST_UNREADABLE])
            await self._work.tell(row)
        return Answered(row.answers, row)

    def _row(self, raw: bytes, peer: Peer, read: Read) -> Row:
        self._number += 1
        return replace(
            read.row,
            received=self._work.now(),
            peer=peer,
            size=len(raw),
            number=self._number,
            status="received",
        )

    # A message that came for the first time

    async def _first(self, row: Row, raw: bytes, message: Message, at_once: AtOnce | None) -> Answered:
        until = time.monotonic() + self._work.patience
        try:
            arrived = await patiently(lambda: self._work.store.arrive(row, raw), until)
        except FHIRError as away:
            return self._refused(replace(row, status="rejected"), raw, away)
        if not arrived.first:
            return await self._known(row, raw, arrived.row, until)
        if arrived.reused:
            row.flags = (*row.flags, REUSED)
        if at_once is not None:
            row.given = self._accepted(row, raw, message)
            for answer in row.given:
                at_once(answer)
        return await self._worked(row, raw, message, until)

    def _accepted(self, row: Row, raw: bytes, message: Message) -> tuple[bytes, ...]:
        """What is told of a message that is kept and not yet processed: to few senders anything."""
        answering = self._answering(row)
        if answering.mode != "enhanced" and not message.header.raw(15):
            return ()
        return tuple(ack.accepted(raw, answering=answering)) if self._work.acceptable(message, row) else ()

    async def _worked(self, row: Row, raw: bytes, message: Message, until: float) -> Answered:
        """Waits for its turn, processes, writes down what came of it; retrying where the database stays away."""
        row.attempts += 1
        try:
            await self._in_work.turn(row, until)
            done = await patiently(lambda: self._work.process(message, row, key_of(row)), until)
            row.status, row.issues, row.written = done.status, done.issues, done.written
            row.patients = tuple(dict.fromkeys((*row.patients, *done.patients)))
            self._close(row, replies(row, raw, self._answering(row)))
            await self._durable(row, until)
        except FHIRError as away:
            return await self._later(row, raw, away)
        except Exception as unknown:
            log.exception("hl7v2_message_failed", row=row.id)
            fault = Issue(
                "",
                f"The server failed to process it ({type(unknown).__name__}); it is kept",
                severity="error",
            )
            row.status, row.issues = "error", (fault,)
            self._close(row, replies(row, raw, self._answering(row)))
            await self._durable(row, until)
        return Answered(row.answers, row)

    async def _durable(self, row: Row, until: float) -> None:
        """Its AuditEvent, then the row's end: who finds that it has ended may give its answer."""
        await patiently(lambda: self._work.tell(row), until)
        await patiently(lambda: self._work.store.finish(row), until)

    async def _later(self, row: Row, raw: bytes, away: FHIRError) -> Answered:
        """The row stays open: this process, or another, tries again. The sender is told to do so, too."""
        row.written, row.finished = (), None
        row.status = "retrying" if row.attempts < MOST_ATTEMPTS else "error"
        self._refused(row, raw, away)
        if row.status == "error":
            row.finished = self._work.now()
        with suppress(FHIRError):
            await self._work.store.finish(row)
            await self._work.tell(row)
        return Answered(row.answers, row)

    # One that had come before

    async def _known(self, row: Row, raw: bytes, there: Row, until: float) -> Answered:
        """Waits while another server works on it; takes it over from one that died."""
        delay = 0.05
        try:
            while there.status in OPEN:
                taken = await self._work.store.take(there.id)
                if taken is not None:
                    return await self._resumed(taken)
                if time.monotonic() > until:
                    raise earlier_in_work()
                await asyncio.sleep(delay)
                delay = min(delay * 2, 1.0)
                there = await self._work.store.get(there.id) or there
        except FHIRError as away:
            return self._refused(replace(row, status="rejected"), raw, away)
        return await self._repeated(row, raw, Answered(there.answers, there))

    async def _repeated(self, row: Row, raw: bytes, first: Answered) -> Answered:
        """The same answer as then; that it came again is written down, and an access of its own."""
        if first.row.status in OPEN or not first.row.finished:
            return Answered(first.answers, replace(first.row, given=()))
        again = replace(row, id=self._work.new_id(), status="duplicate", of=first.row.id, keys=())
        again.code, again.finished, again.patients = first.row.code, self._work.now(), first.row.patients
        try:
            until = time.monotonic() + self._work.patience
            await patiently(lambda: self._noted(again), until)
        except FHIRError as away:  # no access without its event
            return self._refused(replace(row, status="rejected"), raw, away)
        return Answered(first.answers, again, first.of or first.row)

    async def _noted(self, row: Row) -> None:
        await self._work.store.note(row)
        await self._work.tell(row)

    # Once more, on purpose

    async def rehearse(
        self, raw: bytes, charset: str | None = None, written: tuple[str, ...] = ()
    ) -> Rehearsed:
        """What a message would do now that wrote these versions before; writes nothing. Refused where it would be."""
        read = self._work.read(raw, charset)
        if read.message is None:
            raise Refused("rejected", (read.fault,))
        row = replace(read.row, written=written)
        return Rehearsed(row, await self._work.process.interpret(read.message, row, self._work.process.find))

    async def replay(self, row: Row) -> Answered | None:
        """Processes a finished row again, by the mappings of now; None while somebody else works on it."""
        raw = await self._work.store.raw(row.id)
        read = self._work.read(raw, row.charset or None)
        if read.message is None or row.id in self._in_work.ids:
            return None
        again = replace(row, keys=read.row.keys, replays=row.replays + 1, status="received", after=())
        if not await self._work.store.reopen(again) or row.id in self._in_work.ids:
            return None
        until = time.monotonic() + self._work.patience
        work = self._worked(again, raw, read.message, until)
        return await asyncio.shield(self._in_work.begin(again, work))

    # What was left behind

    async def run(self) -> None:
        """Until it is cancelled: gives signs of life, and takes over what nobody works on."""
        looks = 0
        while True:
            with suppress(FHIRError):
                if self._in_work.ids:
                    await self._work.store.beat()
                if looks % 2 == 0:
                    await self.resume()
            looks += 1
            await asyncio.sleep(PAUSE)

    async def resume(self) -> int:
        """Begins to work on open rows that nobody works on; how many."""
        await self._in_work.leave_done()
        orphans = await self._work.store.orphans(list(self._in_work.ids))
        found = [row for row in orphans if row.id not in self._in_work.ids]
        for row in found:
            self._in_work.begin(row, self._resumed(row))
        return len(found)

    async def _resumed(self, row: Row) -> Answered:
        until = time.monotonic() + self._work.patience
        raw = await patiently(lambda: self._work.store.raw(row.id), until)
        read = self._work.read(raw, row.charset or None)
        if read.message is None:
            return await self.keep(raw, row.peer, read.fault)
        return await self._worked(row, raw, read.message, until)

    async def idle(self) -> None:
        """Returns when nothing is in work."""
        await self._in_work.idle()

    # Answers

    def _close(self, row: Row, answers: tuple[bytes, ...]) -> None:
        row.answers, row.code, row.finished = answers, ack_code(answers), self._work.now()

    def _refused(self, row: Row, raw: bytes, away: FHIRError) -> Answered:
        return refused(row, raw, away, self._answering(row))

    def _answering(self, row: Row) -> ack.Answering:
        return self._work.answering(row.application, row.facility)


def key_of(row: Row) -> str:
    """Under which what it says is done once; a replay is another time."""
    return f"hl7v2/{row.id}" + (f"/{row.replays}" if row.replays else "")
