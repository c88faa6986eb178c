"""Bytes → what the feed has to know of a message before it is kept: who sent it, its name, whose patients it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from importers.hl7v2.config import Feeds
from importers.hl7v2.conversion import ConversionError
from importers.hl7v2.er7 import Message, NotHL7
from importers.hl7v2.header import read_header
from importers.hl7v2.issue import INTERNAL_ERROR, Issue
from importers.hl7v2.read import read
from importers.hl7v2.rows import Peer, Row, row_id
from importers.hl7v2.unread import unread

MOST_UNREADABLE = 64 * 1024
"""Bytes that are kept of what is no message"""
MOST_NUMBERS = 100
"""Patient numbers of one message by which its place in line is kept"""
_NOWHEN = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY = Peer("file")


@dataclass(frozen=True, slots=True)
class Read:
    """A message as far as it can be read; `message` is None where it is none, and `fault` says why."""

    row: Row
    message: Message | None
    fault: Issue


class Reader:
    """Reads without ever failing: what it cannot read has a fault."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds

    def __call__(self, raw: bytes, charset: str | None = None) -> Read:
        try:
            message = read(raw, self._feeds, charset or "").message
            return Read(_row(raw, message), message, Issue("", ""))
        except NotHL7 as fault:
            return self.header_of(raw, fault.issue)
        except Exception as unknown:  # bytes of any kind come in here
            text = f"It cannot be read ({type(unknown).__name__})"
            return self.header_of(raw, Issue("", text, INTERNAL_ERROR, "error"))

    def unread(self, message: Message) -> list[Issue]:
        """What of a message its feed's mappings do not read; nothing of one that they refuse."""
        try:
            return unread(message, self._feeds.of(message.sending_application, message.sending_facility))
        except ConversionError:
            return []

    @staticmethod
    def header_of(raw: bytes, fault: Issue) -> Read:
        """What can be made out of the beginning of something that is no message, or not all of one."""
        row = Row("", _NOWHEN, _NOBODY, len(raw), digest(raw))
        header = read_header(raw)
        if header is not None:
            row.application, row.facility = header.component(3, 1), header.component(4, 1)
            row.control_id, row.version = header.control_id, header.component(12, 1)
            row.type = "^".join(filter(None, (header.component(9, 1), header.component(9, 2))))
        return Read(row, None, fault)


def digest(raw: bytes) -> str:
    """SHA-256 of the content, whatever ends its lines."""
    plain = raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r").strip(b"\r \t\x0b\x1c")
    return hashlib.sha256(plain).hexdigest()


def _row(raw: bytes, message: Message) -> Row:
    row = Row("", _NOWHEN, _NOBODY, len(raw), digest(raw))
    row.application, row.facility = message.sending_application, message.sending_facility
    row.control_id, row.version, row.charset = (
        message.control_id,
        message.version,
        message.delimiters.encoding,
    )
    row.type = "^".join(filter(None, (message.type, message.event)))
    row.id = row_id(row.application, row.facility, row.control_id, row.digest)
    numbers = list(dict.fromkeys(_numbers(message)))[:MOST_NUMBERS]
    row.keys = tuple(f"{row.sender}|{number}" for number in numbers)
    row.patients = tuple(numbers)
    return row


def _numbers(message: Message) -> Iterable[str]:
    """By which the patients of a message are known: PID-3, PID-2 and PID-4 of old versions, MRG-1 of merges."""
    for name, fields in (("PID", (3, 2, 4)), ("MRG", (1,))):
        for segment in message.all(name):
            for field in fields:
                yield from (number for value in segment.values(field) if (number := value.text()))
