"""Sources → packages of pieces: Bundles by themselves, everything else some hundreds together."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass

from importers.files import Refused, Source
from importers.ndjson import Piece, Reader

PIECES = 200
"""Resources in a package: enough for a few group commits, little to be done again"""
BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Package:
    """Pieces that are performed concurrently; `size` is how many bytes of sources are done with after it."""

    number: int
    pieces: Sequence[Piece]
    size: int


class Packages:
    """Makes packages of what `reader` finds; what it cannot read goes to `refuse`."""

    def __init__(self, reader: Reader, refuse: Callable[[Refused], None]) -> None:
        self._reader = reader
        self._refuse = refuse
        self._number = 0
        self._pieces: list[Piece] = []
        self._bytes = 0
        self._covered = 0

    def of(self, sources: Sequence[Source], wanted: Container[str] | None = None) -> Iterator[Package]:
        """Packages of all pieces, or of those whose keys are `wanted`."""
        for source in sources:
            begun = 0
            for piece in self._reader.pieces(source):
                self._covered += self._reader.position - begun
                begun = self._reader.position
                if isinstance(piece, Refused):
                    self._refuse(piece)
                elif wanted is None or piece.key in wanted:
                    yield from self._with(piece)
            self._covered += source.size - begun
        if self._pieces or self._covered:
            yield self._taken()

    def _with(self, piece: Piece) -> Iterator[Package]:
        if piece.alone and self._pieces:
            yield self._taken()
        self._pieces.append(piece)
        self._bytes += len(piece.body)
        if piece.alone or len(self._pieces) == PIECES or self._bytes > BYTES:
            yield self._taken()

    def _taken(self) -> Package:
        self._number += 1
        package = Package(self._number, self._pieces, self._covered)
        self._pieces, self._bytes, self._covered = [], 0, 0
        return package
