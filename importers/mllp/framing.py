"""MLLP blocks taken out of a stream of bytes, however it is cut and whatever lies between them; no I/O.

A block is `VT body FS CR` (HL7 v2, Minimal Lower Layer Protocol). What senders do in the field is read as they
meant it: a missing CR after FS, a doubled end, blank lines between blocks. Two messages are never made one:
where the end of a block is missing and the next one begins, the first is told as unfinished, the second read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from importers.mllp.receive import Broken

VT, FS, CR = b"\x0b", b"\x1c", b"\r"

HEAD_BYTES = 16 * 1024
"""What is kept of a message that is too large: its MSH is in there"""
_JUNK_HEAD = 64
_PIECE = 64 * 1024
_GAP = b"\r\n\t \x00"
"""What some senders put between blocks, nothing worth a word"""

_MARK = re.compile(
    rb"\x1c[\r\x0b]"
    # A VT in the middle of a text (a soft line break of a word processor) is content; before a header it is not.
    rb"|\x0b(?=[\x0b\r\n\t \x00]{0,4}(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS))"
)
_LONGEST_MARK = 11
"""Bytes of a mark with what has to be seen after it"""


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole block; `tidy` is False where its end was not exactly FS CR."""

    body: bytes
    tidy: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """A block that did not arrive whole: its bytes so far, or its first `HEAD_BYTES` where it is too large."""

    body: bytes
    reason: Broken


@dataclass(frozen=True, slots=True)
class Junk:
    """Bytes between blocks that were passed over, told once for each gap: how many, and the first of them."""

    size: int
    head: bytes

    @property
    def kind(self) -> str:
        """What it looks like, for the log, which never shows its content."""
        if self.head.startswith(b"\x16\x03"):
            return "a TLS handshake"
        if re.match(rb"[A-Z]{3,8} \S*(/|\*)", self.head):
            return "an HTTP request"
        if b"MSH" in self.head:
            return "HL7 without MLLP framing"
        return "unknown"


Event = Frame | Part | Junk


class Decoder:
    """Bytes of one connection in, events out; keeps at most some kilobytes more than `max_bytes`.

    After a message of more than `max_bytes`, or more than `max_junk` bytes of junk on end, `closed` is True,
    and what comes is ignored.
    """

    def __init__(self, max_bytes: int, max_junk: int = 64 * 1024) -> None:
        self._max_bytes = max_bytes
        self._max_junk = max_junk
        self._buffer = bytearray()
        self._scanned = 0
        self._junk = 0
        self._junk_head = b""
        self.inside = False
        """A block has begun and not ended"""
        self.closed = False

    @property
    def ending(self) -> bool:
        """An FS came last: waiting for its CR is worth a moment, not longer."""
        return self.inside and _ends(self._buffer)

    @property
    def size(self) -> int:
        """Bytes of the block that has begun."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """What has become clear with these bytes, in their order."""
        events: list[Event] = []
        view = memoryview(data)
        for start in range(0, len(data), _PIECE):
            self._buffer += view[start : start + _PIECE]
            while not self.closed and (self._read(events) if self.inside else self._pass_over(events)):
                pass
            if self.closed:
                self._buffer.clear()
                break
        return events

    def settle(self) -> list[Event]:
        """The sender has fallen silent: an FS that no CR followed is taken for the end of its block."""
        if not self.ending:
            return []
        body = self._take(len(self._buffer))
        self.inside = False
        return [Frame(body.rstrip(_GAP).rstrip(FS), tidy=False)]

    def eof(self) -> list[Event]:
        """The sender has closed."""
        events = self.settle()
        if self.inside and self._buffer.strip(_GAP + VT):
            events.append(Part(self._take(len(self._buffer)), "truncated"))
        self._end_of_junk(events)
        self._buffer.clear()
        self.inside = False
        self.closed = True
        return events

    def _read(self, events: list[Event]) -> bool:
        """Inside a block: up to its end, or the start of the next, or the most that is kept."""
        mark = _MARK.search(self._buffer, max(self._scanned - _LONGEST_MARK, 0))
        length = len(self._buffer) - _LONGEST_MARK if mark is None else mark.start()
        if length > self._max_bytes:
            events.append(Part(self._take(min(HEAD_BYTES, self._max_bytes)), "too-large"))
            self.inside = False
            self.closed = True
        if mark is None or self.closed:
            self._scanned = len(self._buffer)
            return False
        found = mark[0]
        # The pattern lets go of the buffer, which cannot shrink as long as somebody looks at it.
        del mark
        body = self._take(length, len(found))
        self.inside = found != FS + CR
        if found.startswith(FS):
            ended = body.rstrip(FS)
            events.append(Frame(ended, tidy=found == FS + CR and len(ended) == len(body)))
        elif _ends(body):
            events.append(Frame(body.rstrip(_GAP).rstrip(FS), tidy=False))
        elif body.strip(_GAP + VT):
            events.append(Part(body, "unfinished"))
        return True

    def _pass_over(self, events: list[Event]) -> bool:
        """Between blocks: up to the next VT."""
        start = self._buffer.find(VT)
        junk = self._take(len(self._buffer) if start < 0 else start, int(start >= 0))
        if not self._junk_head:
            junk = junk.lstrip(_GAP + FS)
        self._junk_head = (self._junk_head + junk[:_JUNK_HEAD])[:_JUNK_HEAD]
        self._junk += len(junk)
        if self._junk > self._max_junk:
            # What is told does not depend on how much came at once.
            self._junk, self._junk_head = self._max_junk, self._junk_head[: self._max_junk]
            self._end_of_junk(events)
            self.closed = True
        elif start >= 0:
            self._end_of_junk(events)
            self.inside = True
        return self.inside

    def _end_of_junk(self, events: list[Event]) -> None:
        if self._junk_head:
            events.append(Junk(self._junk, self._junk_head))
        self._junk, self._junk_head = 0, b""

    def _take(self, length: int, mark: int = 0) -> bytes:
        """The first bytes of the buffer, which goes on after them and `mark` more."""
        with memoryview(self._buffer) as view, view[:length] as part:
            taken = bytes(part)
        del self._buffer[: length + mark]
        self._scanned = 0
        return taken


def _ends(body: bytes | bytearray) -> bool:
    return body[-8:].rstrip(_GAP).endswith(FS)


def frame(message: bytes) -> bytes:
    """The message as a block."""
    return VT + message + FS + CR
