"""The feed's record of a message, and the store that keeps it: `Row`, `FeedStore`.

`fhir_server.store.feed` implements the store; `docs/hl7v2.md` says what each status means to an operator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from importers.hl7v2.issue import Issue

Status = Literal["received", "retrying", "processed", "duplicate", "error", "rejected"]
"""`received`: stored, in work. `retrying`: the database was away in between, it is tried again. `processed`: all it
says is in the store. `duplicate`: it had come before, nothing was done. `error`: understood, but what it says cannot
be stored (AE). `rejected`: cannot be processed at all (AR). The last two are the dead letters.
"""

OPEN: frozenset[Status] = frozenset({"received", "retrying"})
DEAD: frozenset[Status] = frozenset({"error", "rejected"})
STATUSES: tuple[Status, ...] = ("received", "retrying", "processed", "duplicate", "error", "rejected")

REUSED = "control-id-reused"
"""Flag of a message whose MSH-10 its sender has used for another one"""
UNREADABLE = "unreadable"
"""Flag of what is no message, or not all of one"""

Door = Literal["mllp", "http", "file"]


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a message came in: network address, what the peer says of itself, and who it proved to be."""

    door: Door
    address: str | None = None
    software: str | None = None
    identity: str | None = None
    """Distinguished name of its TLS certificate, or name of the user of the command line"""


@dataclass(slots=True)
class Row:
    """One message as it arrived, and what came of it. Its raw bytes lie beside it."""

    id: str
    """From sender, MSH-10 and content: the same message has the same id wherever it comes in"""
    received: datetime
    peer: Peer
    size: int
    digest: str
    """SHA-256 of the raw bytes"""
    application: str = ""
    facility: str = ""
    control_id: str = ""
    type: str = ""
    """`ORU^R01`"""
    version: str = ""
    charset: str = ""
    keys: tuple[str, ...] = ()
    """What it has to keep its place for: the patients of this sender that it names"""
    patients: tuple[str, ...] = ()
    """The numbers in PID-3 as they are written, and the `Patient/…` that were written"""
    after: tuple[str, ...] = ()
    """Rows that were in work for one of its patients when it came"""
    number: int = 0
    """Tells rows of one process and one millisecond apart, in their order"""
    status: Status = "received"
    of: str | None = None
    """The row it is a duplicate of"""
    flags: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
    written: tuple[str, ...] = ()
    """`Patient/1/_history/2`"""
    answers: tuple[bytes, ...] = ()
    """What was sent back"""
    given: tuple[bytes, ...] = ()
    """Those of them that left before it was processed; known to the process that sent them only"""
    code: str = ""
    """MSA-1 of the last answer"""
    attempts: int = 0
    finished: datetime | None = None
    replays: int = 0

    @property
    def sender(self) -> str:
        """`LAB|HOSP`: MSH-3 and MSH-4."""
        return f"{self.application}|{self.facility}" if self.application or self.facility else ""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the store says of a row that came in, or the one that was there already."""

    first: bool
    """It was not there; or it was left behind by this very process, and is to be done now"""
    row: Row
    reused: bool = False
    """Another message of this sender has the same MSH-10"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to list, newest first; `before` is the (received, id) of the last one of the page before."""

    statuses: tuple[Status, ...] = ()
    sender: str | None = None
    patient: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, str] | None = None
    count: int = 50
    oldest_first: bool = False


class FeedStore(Protocol):
    """Keeps rows durably. Everything raises a FHIRError with status 503 while the database is away."""

    async def put(self, row_id: str, raw: bytes) -> None:
        """The bytes of a message that is too large to be kept in its row; before the row is."""
        ...

    async def arrive(self, row: Row, raw: bytes) -> Arrived:
        """Durable when it returns; sets `row.after`. The row that is there already, where there is one."""
        ...

    async def note(self, row: Row, raw: bytes | None = None) -> None:
        """Keeps a row that is not to be processed: a duplicate, or what could not be read."""
        ...

    async def reopen(self, row: Row) -> bool:
        """Puts a row that is finished in work again, as `row` says; False where somebody else just has."""
        ...

    async def finish(self, row: Row) -> None:
        """Writes down what came of it."""
        ...

    async def get(self, row_id: str) -> Row | None: ...

    async def named(self, beginning: str) -> Sequence[Row]:
        """The first rows whose id begins so."""
        ...

    async def raw(self, row_id: str) -> bytes: ...

    async def still_open(self, ids: Collection[str], before: datetime | None = None) -> set[str]:
        """Those that are not finished, of all or of what arrived before a moment."""
        ...

    async def orphans(self, mine: Collection[str]) -> Sequence[Row]:
        """Takes open rows whose process is gone (and those of this one that are not `mine`), in their order."""
        ...

    async def take(self, row_id: str) -> Row | None:
        """The same for one row; None while somebody works on it, or when it is finished."""
        ...

    async def beat(self) -> None:
        """A sign of life of this process."""
        ...

    async def page(self, wanted: Wanted) -> Sequence[Row]: ...


def row_id(application: str, facility: str, control_id: str, digest: str) -> str:
    """Sender, MSH-10 and content as one name: 32 hexadecimal digits."""
    return _hashed(application, facility, control_id, digest)


def sequence_id(row: Row) -> str | None:
    """Sender and MSH-10 as one name; None where there is no MSH-10."""
    return _hashed(row.application, row.facility, row.control_id) if row.control_id else None


def _hashed(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a message is answered with, and what became of it."""

    answers: tuple[bytes, ...]
    row: Row
    of: Row | None = None
    """The row of which this one is a duplicate"""
