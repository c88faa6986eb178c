"""Files → pieces: one JSON text each, a line of NDJSON or a whole file, read as a stream and within bounds.

http://hl7.org/fhir/R4/nd-json.html
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, Protocol, Self

import msgspec

from importers.files import Refused, Source, reason

MAX_FILE = 256 * 1024 * 1024
"""Bytes of a file that is one JSON text"""
MAX_LINE = 64 * 1024 * 1024
"""Bytes of one line of NDJSON"""
MAX_RATIO = 250
"""How many times its size a compressed file may become; FHIR as JSON becomes 10 to 60 times"""
FREE_BYTES = 16 * 1024 * 1024
"""What may come out of a compressed file whatever its ratio: a few spaces compress a thousandfold"""

_HEAD = 4096
_BLOCK = 1 << 20
_BATCH = re.compile(rb'"type"\s*:\s*"batch"')
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, KeyError)


@dataclass(frozen=True, slots=True)
class Piece:
    """One JSON text with the name of its place (`a/b.ndjson line 12`).

    `key` stands for its content, and for which one it is where several of one run are alike.
    """

    name: str
    key: str
    body: bytes
    alone: bool
    """A Bundle, which is work enough by itself"""


class TooMuchError(OSError):
    """More came out of a file than is taken."""


class Head(msgspec.Struct):
    """What has to be known of a JSON text before it is really read."""

    resource_type: Any = msgspec.field(name="resourceType", default=None)
    id: Any = None


class Reader:
    """Reads sources one after the other; `position` is how far it is in the present one, in bytes of `Source.size`."""

    def __init__(self) -> None:
        self.position = 0
        self._alike: Counter[bytes] = Counter()
        self._archive: tuple[str, zipfile.ZipFile] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the archive that was read last."""
        if self._archive is not None:
            self._archive[1].close()
        self._archive = None

    def begins_batch(self, source: Source) -> bool:
        """Whether the first 4,096 bytes say that this is a batch Bundle."""
        if source.form != "json":
            return False
        try:
            with self._opened(source) as stream:
                head = stream.read(_HEAD)
        except _UNREADABLE:
            return False
        return b'"Bundle"' in head and _BATCH.search(head) is not None

    def pieces(self, source: Source) -> Iterator[Piece | Refused]:
        """The JSON texts of a source, and what of it cannot be read."""
        self.position = 0
        try:
            with self._opened(source) as stream:
                yield from (
                    self._lines(source, stream) if source.form == "ndjson" else self._whole(source, stream)
                )
        except _UNREADABLE as fault:
            yield Refused(source.name, _why(fault))

    def whole(self, source: Source) -> bytes | Refused:
        """All bytes of a source that is no JSON."""
        self.position = 0
        try:
            with self._opened(source) as stream:
                body = stream.read(MAX_FILE + 1)
        except _UNREADABLE as fault:
            return Refused(source.name, _why(fault))
        self.position = source.size
        if len(body) > MAX_FILE:
            return Refused(source.name, f"is larger than {_mib(MAX_FILE)}; split it")
        return body if body.strip() else Refused(source.name, "is empty")

    @contextmanager
    def _opened(self, source: Source) -> Iterator[_Metered]:
        with ExitStack() as stack:
            if source.member is not None:
                member = stack.enter_context(self._members_of(source).open(source.member))
                packed = self._members_of(source).getinfo(source.member).compress_size
                yield _Metered(member, packed)
                return
            file = stack.enter_context(source.path.open("rb"))
            if source.gzip:
                yield _Metered(stack.enter_context(gzip.open(file)), source.size, file)
            else:
                yield _Metered(file)

    def _members_of(self, source: Source) -> zipfile.ZipFile:
        if self._archive is None or self._archive[0] != str(source.path):
            self.close()
            self._archive = (str(source.path), zipfile.ZipFile(source.path))
        return self._archive[1]

    def _whole(self, source: Source, stream: _Metered) -> Iterator[Piece | Refused]:
        body = stream.read(MAX_FILE + 1)
        self.position = source.size
        if len(body) > MAX_FILE:
            text = f"is larger than {_mib(MAX_FILE)}, which one JSON text may have; NDJSON may be of any size"
            yield Refused(source.name, text)
        elif not body.strip():
            yield Refused(source.name, "is empty")
        else:
            yield self._piece(source.name, body)

    def _lines(self, source: Source, stream: _Metered) -> Iterator[Piece | Refused]:
        content = False
        for number, line in numbered(stream):
            name = f"{source.name} line {number}"
            self.position = stream.position
            content = True
            if line is None:
                yield Refused(name, f"is longer than {_mib(MAX_LINE)}")
            else:
                yield self._piece(name, line)
        self.position = source.size
        if not content:
            yield Refused(source.name, "is empty")

    def _piece(self, name: str, body: bytes) -> Piece:
        digest = hashlib.blake2b(body, digest_size=16)
        key = digest.hexdigest()
        try:
            head = msgspec.json.decode(body, type=Head)
        except (msgspec.DecodeError, RecursionError):  # who performs it will say what is wrong
            return Piece(name, key, body, alone=False)
        bundle = head.resource_type == "Bundle"
        if bundle or head.id is None:
            # A PUT of the same content is the same; a POST of the same content is another one.
            before = self._alike[digest.digest()]
            self._alike[digest.digest()] += 1
            key = f"{key}.{before}" if before else key
        return Piece(name, key, body, alone=bundle)


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        ...


def numbered(stream: Stream) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not blank, with their numbers from 1, without line ends; None for one that is too long."""
    number, begun, too_long = 1, b"", False
    while block := stream.read(_BLOCK):
        *whole, rest = block.split(b"\n")
        if whole:
            whole[0] = begun + whole[0]
            begun = rest
        else:
            begun += rest
        for line in whole:
            if too_long or len(line) > MAX_LINE:
                too_long = False
                yield number, None
            elif line and (content := line.strip()):
                yield number, content
            number += 1
        if len(begun) > MAX_LINE:
            begun, too_long = b"", True
    if too_long:
        yield number, None
    elif content := begun.strip():
        yield number, content


class _Metered:
    """A stream that counts what it gives, and stops where a compressed file becomes unreasonably much."""

    def __init__(self, stream: Stream, packed: int | None = None, file: BufferedReader | None = None) -> None:
        self._stream = stream
        self._limit = None if packed is None else max(FREE_BYTES, packed * MAX_RATIO)
        self._file = file
        self._given = 0

    @property
    def position(self) -> int:
        return self._given if self._file is None else self._file.tell()

    def read(self, size: int) -> bytes:
        # In parts, so that a bomb is found before it is in memory.
        parts = bytearray()
        while len(parts) < size and (part := self._stream.read(min(size - len(parts), 1 << 22))):
            parts += self._counted(part)
        return bytes(parts)

    def _counted(self, part: bytes) -> bytes:
        self._given += len(part)
        if self._limit is not None and self._given > self._limit:
            text = f"becomes more than {_mib(self._limit)} when it is unpacked, {MAX_RATIO} times its size or more"
            raise TooMuchError(f"{text}: no data is like that")
        return part


def _why(fault: BaseException) -> str:
    if isinstance(fault, gzip.BadGzipFile):
        return f"is not gzip, or damaged: {fault}"
    if isinstance(fault, EOFError | zlib.error):
        return f"is damaged: the compressed data is cut short or wrong ({fault})"
    if isinstance(fault, RuntimeError) and "encrypted" in str(fault):
        return "is encrypted"
    return reason(fault)


def _mib(size: int) -> str:
    return f"{size // 2**20} MiB"
