"""Files, bodies and frames with several messages: each MSH begins one of its own; FHS, BHS, BTS and FTS are taken off.

HL7 v2.8.2 chapter 2.10.3 (batch protocol).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from importers.hl7v2.charset import wide_encoding
from importers.hl7v2.issue import SEQUENCE_ERROR, Issue

_MARK = re.compile(
    rb"(?:\A|(?<=[\r\n\x0b\x1c]))(?:(MSH|FHS|BHS)(?=[^\w\s][^\w\s])|(BTS|FTS)(?![0-9A-Za-z]))", re.ASCII
)
_AROUND = b"\xef\xbb\xbf\x0b\x1c\x1a\x00\r\n\t "
_AFTER = b"\x0b\x1c\x1a\x00\r\n"


class Batch(NamedTuple):
    """The messages of a file as their bytes, in their order, and what is wrong with the envelope around them."""

    messages: list[bytes]
    issues: list[Issue]
    enveloped: bool
    """there was an FHS or a BHS"""


def split(raw: bytes) -> Batch:
    """The messages in these bytes, whatever frames or envelopes are around them.

    What stands before the first header is a message as well: garbage that somebody has to see. The counts of BTS-1
    and FTS-1 are compared with what is there, and told; they stop no message. UTF-16 and UTF-32 become UTF-8.
    """
    if (encoding := wide_encoding(raw)) is not None and encoding != "utf-8-sig":
        raw = raw.decode(encoding, "replace").encode()
    raw = raw.lstrip(_AROUND)
    marks = [(match.start(), match[1] or match[2]) for match in _MARK.finditer(raw)]
    ends = [*(position for position, _ in marks), len(raw)][1:]
    issues: list[Issue] = []
    envelope = _Envelope(issues)
    messages = []
    if before := raw[: marks[0][0] if marks else len(raw)].strip(_AROUND):
        messages.append(before)
    for (begin, name), end in zip(marks, ends, strict=True):
        chunk = raw[begin:end].rstrip(_AFTER)
        if name == b"MSH":
            messages.append(chunk)
            envelope.messages += 1
        else:
            envelope.read(name.decode(), re.split(rb"[\r\n]", chunk, maxsplit=1)[0].decode("latin-1"))
    envelope.end()
    return Batch(messages, issues, envelope.seen)


class _Envelope:
    """Counts while headers and trailers go by."""

    def __init__(self, issues: list[Issue]) -> None:
        self.issues = issues
        self.seen = False
        self.messages = 0
        self.batches = 0
        self.open: list[str] = []

    def read(self, name: str, line: str) -> None:
        if name in ("FHS", "BHS"):
            self.seen = True
            if name == "BHS":
                self.batches += 1
                self.messages = 0
            self.open.append(name)
        else:
            self._count(name, line)
            begun = "BHS" if name == "BTS" else "FHS"
            if begun in self.open:
                self.open.remove(begun)
            else:
                self.issues.append(Issue(name, f"{name} without {begun}", SEQUENCE_ERROR))

    def _count(self, name: str, line: str) -> None:
        count, what = (self.messages, "messages") if name == "BTS" else (self.batches, "batches")
        told = line[4:].partition(line[3:4])[0].strip() if line[3:4] else ""
        if told.isdecimal() and int(told[:9]) != count and (name == "BTS" or self.batches):
            text = f"{int(told[:9])} {what} are announced, {count} are there"
            self.issues.append(Issue(f"{name}-1", text, SEQUENCE_ERROR))

    def end(self) -> None:
        for name in self.open:
            ended = "BTS" if name == "BHS" else "FTS"
            text = f"{name} without {ended}: the end may have been lost"
            self.issues.append(Issue(name, text, SEQUENCE_ERROR))
