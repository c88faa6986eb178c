"""The character set of a message: read of its first bytes, so that the rest is decoded before it is split.

In some sets the second byte of a character is that of a delimiter. HL7 v2.8.2 chapter 2.14.9.18, table 0211.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import NamedTuple

from importers.hl7v2.issue import DATA_TYPE_ERROR, TABLE_VALUE_NOT_FOUND, Issue

_PLACE = "MSH-18"
_HEADER_BYTES = 16384
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ((re.compile(rb"M\0\0\0S\0\0\0H"), 4, "utf-32"), (re.compile(rb"M\0S\0H"), 2, "utf-16"))
"""MSH in letters of several bytes, how many, and what they are without their order"""
_JAPANESE = "iso2022_jp_ext"
"""ASCII, JIS X 0201, 0208 and 0212, each announced by its escape sequence"""

_NAMES = {
    "ASCII": "ascii",
    "US-ASCII": "ascii",
    "ISO IR6": "ascii",
    "ISO IR14": "shift_jis",
    "ISO IR87": _JAPANESE,
    "ISO IR159": _JAPANESE,
    "UNICODE": "utf-8",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "GB2312": "gb18030",
    "GBK": "gb18030",
    "KS X 1001": "cp949",
    "BIG-5": "cp950",
    "BIG5": "cp950",
    "SHIFT_JIS": "cp932",
    "SHIFT-JIS": "cp932",
    "EUC-JP": "euc_jp",
    "LATIN1": "iso8859-1",
    "LATIN-1": "iso8859-1",
    "KOI8-R": "koi8-r",
}
_WITHOUT_CODEC = {"CNS 11643-1992"}
_UNICODE = re.compile(r"(?:UNICODE[ _-]?)?UTF[ _-]?(8|16|32)(?:[ _-]?[LB]E)?|UNICODE (?:8|16|32)")
_ISO_8859 = re.compile(r"(?:ISO[ _/-]?(?:IR)?)?8859(?:[/ _-]?(\d{1,2}))?")
_CODE_PAGE = re.compile(r"(?:WINDOWS|CP|WIN)[ _-]?(125[0-8]|932|936|949|950|437|85[02])")


class Decoded(NamedTuple):
    """The text of a message, Python's name of the encoding it was in, and what is to be told about that."""

    text: str
    encoding: str
    issues: list[Issue]


def decode(raw: bytes, default: str = "utf-8") -> Decoded:
    """The text of a message, a batch or a file; `default` is the encoding where MSH-18 says nothing.

    What MSH-18 says wins over the default; what the bytes say wins over MSH-18: bytes that its set does not have are
    read as UTF-8 if they are, else as Windows-1252, and told. Nothing is replaced or dropped.
    """
    if (wide := wide_encoding(raw)) is not None:
        return _first(raw, [wide, "utf-8", "latin-1"], [])
    declared = declared_names(raw)
    found, issues = _codec(declared)
    encoding = found or default
    if declared and not found:
        told = f"The character set of MSH-18 is not known; the message was read as {default}"
        issues.append(Issue(_PLACE, told, TABLE_VALUE_NOT_FOUND))
    return _first(raw, [encoding, "utf-8", default, "cp1252", "latin-1"], issues)


def _first(raw: bytes, candidates: list[str], issues: list[Issue]) -> Decoded:
    """Decoded by the first candidate that has all the bytes; latin-1 has all there are."""
    meant = candidates[0]
    for encoding in candidates:
        try:
            text = raw.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if encoding != meant:
            told = f"The bytes are not {meant}; the message was read as {encoding}"
            issues.append(Issue(_PLACE, told, DATA_TYPE_ERROR))
        return Decoded(text, encoding.removesuffix("-sig"), issues)
    raise AssertionError("latin-1 decodes any bytes")


def wide_encoding(raw: bytes) -> str | None:
    """The encoding that a byte order mark, or letters of two or four bytes, tell; None if neither is there."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    for letters, width, encoding in _WIDE:
        if (found := letters.search(raw, 0, 64)) is not None:
            return encoding + ("-le" if found.start() % width == 0 else "-be")
    return None


def declared_names(raw: bytes) -> list[str]:
    """The repetitions of MSH-18 that say something, as they were sent.

    Where an earlier field of the header has bytes of a delimiter inside of characters, MSH-18 seems to stand later.
    """
    shifted = b"\x1b$" in raw[:_HEADER_BYTES]
    start = raw[:_HEADER_BYTES].decode(_JAPANESE if shifted else "latin-1", "replace")
    begin = start.find("MSH")
    if begin < 0:
        return []
    line = re.split(r"[\r\n]", start[begin:], maxsplit=1)[0]
    fields = line.split(line[3:4] or "|")
    repetition = fields[1][1:2] if len(fields) > 1 else ""
    at_its_place = _repetitions(fields[17], repetition) if len(fields) > 17 else []
    if at_its_place and _codec(at_its_place)[0] is not None:
        return at_its_place
    for later in fields[18:30]:
        names = _repetitions(later, repetition)
        if names and _codec(names)[0] in (_JAPANESE, "cp950", "gb18030", "shift_jis"):
            return names
    return at_its_place


def _repetitions(field: str, separator: str) -> list[str]:
    every = field.split(separator) if separator else [field]
    return [each.strip() for each in every if each.strip() not in ("", '""')]


def _codec(names: Iterable[str]) -> tuple[str | None, list[Issue]]:
    """Python's name of the encoding; of several sets the one that has the others in it."""
    known = [codec for name in names if (codec := codec_of(name)) is not None]
    if _JAPANESE in known:
        return _JAPANESE, []
    if not known:
        return None, []
    wide = [codec for codec in known if codec != "ascii"]
    return (wide or known)[0], []


def codec_of(name: str) -> str | None:
    """Python's name of a character set of table 0211, or as senders write it; None if it is none."""
    name = " ".join(name.upper().split())
    if name in _NAMES:
        return _NAMES[name]
    if name in _WITHOUT_CODEC:
        return None
    if (match := _UNICODE.fullmatch(name)) is not None:
        # whoever could read the name eight bits a letter does not read UTF-16
        return "utf-8"
    if (match := _ISO_8859.fullmatch(name)) is not None:
        return _existing(f"iso8859-{match[1] or '1'}")
    if (match := _CODE_PAGE.fullmatch(name)) is not None:
        return f"cp{match[1]}"
    return None


def _existing(name: str) -> str | None:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None
