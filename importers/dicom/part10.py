"""Where in a file the data set begins, and how it is written. PS3.10 chapter 7, PS3.5 annex A."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from importers.dicom import uids
from importers.dicom.header import CANNOT_UNDERSTAND, NotDicom, Refused

_LONG = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"}
_LARGEST_META = 64 * 1024
_LOWEST_GROUPS = {0x0002, 0x0008}
"""What a data set begins with, if it is one"""
_MOST_OF_A_FIRST_ELEMENT = 1024


@dataclass(frozen=True, slots=True)
class Beginning:
    """Of the data set: its offset in the file, and the transfer syntax that the file names (empty: none)."""

    offset: int
    transfer_syntax: str
    sop_class: str = ""
    """MediaStorageSOPClassUID"""


def beginning(stream: BinaryIO) -> Beginning:
    """Of a file of PS3.10, or of one that lacks preamble or meta information; raises NotDicom if it is none."""
    stream.seek(0)
    head = stream.read(132 + _LARGEST_META)
    if not head:
        raise NotDicom("It is empty")
    if head[128:132] == b"DICM":
        return _meta(head, 132)
    if head[:8] == b"\0\0\0\0\0\0\0\0" or not _begins(head):
        raise NotDicom("DICM was expected after 128 bytes, or a data set that begins with group 0002 or 0008")
    return _meta(head, 0)


def _begins(head: bytes) -> bool:
    """Whether bytes look like the first element of a data set without preamble."""
    if len(head) < 8:
        return False
    little = int.from_bytes(head[:2], "little") in _LOWEST_GROUPS
    big = int.from_bytes(head[:2], "big") in _LOWEST_GROUPS
    if not (little or big):
        return False
    order = "little" if little else "big"
    if head[4:6].isalpha() and head[4:6].isupper():
        return True
    return int.from_bytes(head[4:8], order) <= _MOST_OF_A_FIRST_ELEMENT  # type: ignore[arg-type]


def _meta(head: bytes, offset: int) -> Beginning:
    """What group 0002 says; it is explicit little endian whatever follows, and its length is not believed."""
    found: dict[int, str] = {}
    while head[offset : offset + 2] == b"\x02\0" and len(head) >= offset + 8:
        element = int.from_bytes(head[offset + 2 : offset + 4], "little")
        if head[offset + 4 : offset + 6] in _LONG:
            length, start = int.from_bytes(head[offset + 8 : offset + 12], "little"), offset + 12
        else:
            length, start = int.from_bytes(head[offset + 6 : offset + 8], "little"), offset + 8
        if start + length > len(head):
            raise Refused(CANNOT_UNDERSTAND, "It ends, or makes no sense, within the file meta information")
        found[element] = head[start : start + length].decode("latin-1").strip("\0 ")
        offset = start + length
    return Beginning(offset, found.get(0x10, ""), found.get(0x02, ""))


def is_little_endian(first: bytes) -> bool:
    """By the first group number, which is small; what the meta information says may be wrong."""
    return int.from_bytes(first[:2], "little") <= int.from_bytes(first[:2], "big")


def is_implicit(first: bytes, transfer_syntax: str) -> bool:
    """Whether elements have no VR, by the transfer syntax, or where that is not known by the first element."""
    if transfer_syntax:
        return transfer_syntax == uids.IMPLICIT
    return not (first[4:6].isalpha() and first[4:6].isupper())


def inflated(stream: BinaryIO, limit: int) -> BinaryIO:
    """The rest of a stream of the deflated transfer syntax, up to `limit` bytes of it; Refused where it is damaged.

    A bomb is not set off: what lies behind the limit is never inflated.
    """
    decompress = zlib.decompressobj(-zlib.MAX_WBITS)
    made = io.BytesIO()
    try:
        while made.tell() < limit and not decompress.eof and (read := stream.read(65536)):
            made.write(decompress.decompress(read, limit - made.tell()))
    except zlib.error:
        raise Refused(CANNOT_UNDERSTAND, "The deflated data set cannot be inflated: it is damaged") from None
    if not decompress.eof and made.tell() < limit:
        raise Refused(CANNOT_UNDERSTAND, "The deflated data set is truncated")
    made.seek(0)
    return made
