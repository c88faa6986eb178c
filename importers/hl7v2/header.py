"""The header of a message, a batch or a file, read from its bytes as leniently as an answer allows.

An answer is owed to a sender whose message cannot be parsed, too. What it repeats of the header (the names, the
control id) it repeats byte for byte, whatever character set they are in. HL7 v2.8.2 chapter 2.14.9 (MSH).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MOST = 64 * 1024
"""Bytes in which the header has to lie"""
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff", b"\xff\xfe", b"\xfe\xff")
_WIDE = ((b"M\x00\x00\x00S\x00\x00\x00H", 4, "utf-32"), (b"M\x00S\x00H", 2, "utf-16"))
_WITH_DELIMITERS_INSIDE = {
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "BIG5": "big5",
}
"""Character sets of table 0211 of which a character may contain the byte of a delimiter. All others are read as
if they were Latin-1, which gives every byte back."""

_FRAMING = {0x0B: None, 0x1C: None}
_LINE = re.compile(r"(?:\A|[\r\n])[ \t\x00\x0b]*(MSH|FHS|BHS)([^\w\s])([^\r\n]*)", re.IGNORECASE)
_ANYWHERE = re.compile(r"(MSH)([^\w\s])([^\w\s][^\r\n]*)")
_DECLARED = re.compile(r"[^\w\s\"]{1,6}")


@dataclass(frozen=True, slots=True)
class Header:
    """MSH, BHS or FHS; `fields` are numbered as HL7 does and raw, their text is to be encoded by `encode`."""

    segment: str
    fields: Sequence[str]
    encoding: str
    mark: bytes
    """The byte order mark an answer begins with: the sender's own in UTF-16 and UTF-32, nothing elsewhere"""
    answers: bool
    """It is an acknowledgment, or has an MSA: an answer to something, which is not answered"""

    def raw(self, field: int) -> str:
        """The field as it was sent, empty where there is none."""
        return self.fields[field] if field < len(self.fields) else ""

    def msh(self, field: int) -> str:
        """The same of an MSH; BHS and FHS say other things there."""
        return self.raw(field) if self.segment == "MSH" else ""

    def component(self, field: int, number: int) -> str:
        parts = self.raw(field).split(self.component_separator)
        return parts[number - 1].strip() if number <= len(parts) else ""

    @property
    def separator(self) -> str:
        return self.fields[1]

    @property
    def declared(self) -> str:
        """MSH-2, or the usual where it is none."""
        if _DECLARED.fullmatch(self.raw(2)):
            return self.raw(2)
        return "".join(each for each in "^~\\&$" if each != self.separator)[:4]

    @property
    def component_separator(self) -> str:
        return self.declared[0]

    @property
    def control_id(self) -> str:
        """MSH-10, BHS-11 or FHS-11."""
        return self.raw(10 if self.segment == "MSH" else 11)

    def encode(self, text: str) -> bytes:
        """Text of the fields as the bytes it came from, beside text of ours in ASCII; no VT or FS, which frame it."""
        return self.mark + text.translate(_FRAMING).encode(self.encoding, "surrogateescape")


def read_header(raw: bytes) -> Header | None:
    """The first header in these bytes; None where there is none."""
    mark = next((each for each in _BOMS if raw.startswith(each)), b"")
    start = raw[len(mark) : _MOST]
    encoding = _wide(start)
    if encoding:
        text = start.decode(encoding, "replace")
    else:
        mark = b""
        encoding, text = _narrow(start)
    found = _LINE.search(text) or _ANYWHERE.search(text)
    if found is None:
        return None
    fields = ["", found[2], *found[3].split(found[2])]
    fields[0] = found[1].upper()
    header = Header(fields[0], fields, encoding, mark, answers=False)
    msa = "MSA" + header.separator
    is_answer = header.component(9, 1).upper() == "ACK" or f"\r{msa}" in text or f"\n{msa}" in text
    if fields[0] != "MSH" or not is_answer:
        return header
    return Header(fields[0], fields, encoding, mark, answers=True)


def _wide(start: bytes) -> str:
    for letters, width, name in _WIDE:
        at = start.find(letters)
        if at >= 0 and not start[:at].strip(b"\x00\x0b\t\r\n "):
            return f"{name}-le" if at % width == 0 else f"{name}-be"
    return ""


def _narrow(start: bytes) -> tuple[str, str]:
    text = start.decode("latin-1")
    line = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]
    for field in line.split(line[3:4] or "|")[17:]:
        encoding = _WITH_DELIMITERS_INSIDE.get(re.split(r"[^\w /-]", field, maxsplit=1)[0].strip().upper())
        if encoding is not None:
            return encoding, start.decode(encoding, "surrogateescape")
    return "latin-1", text
