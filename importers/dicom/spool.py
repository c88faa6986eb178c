"""The bytes of one instance as they come in: no more of them is kept than its header needs, whatever its size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from io import BytesIO
from typing import IO, BinaryIO

KEPT = 256 * 1024
"""Bytes after which the header of most instances is over"""
MOST = 1024 * 1024 * 1024
"""Bytes that are looked through for the end of a header; they wait in a file without a name"""

Enough = Callable[[bytes], bool]
"""Whether the header of an instance ends within these first bytes of it"""


class Spool(BytesIO):
    """Written to like a file. What follows after the header is counted and forgotten.

    The first `kept` bytes stay in memory; only where the header goes on behind them (`enough` says so, asked once), what
    comes is written to a temporary file, up to `most` bytes.
    """

    def __init__(
        self, enough: Enough, *, kept: int = KEPT, most: int = MOST, folder: str | None = None
    ) -> None:
        super().__init__()
        self._enough = enough
        self._kept = kept
        self._most = most
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._passing = False
        self.size = 0
        """Bytes that came, kept or not"""

    @property
    def kept(self) -> int:
        """Bytes in memory."""
        return self.getbuffer().nbytes

    @property
    def overflown(self) -> bool:
        """There was no end of the header within the most that is looked through."""
        return self._file is not None and self.size > self._most

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Raises OSError where the disk is full."""
        taken = len(data)
        self.size += taken
        if self._file is not None:
            if not self.overflown:
                self._file.write(data)
        elif not self._passing:
            super().write(data)
            if self.size > self._kept:
                self._settle()
        return taken

    def opened(self) -> BinaryIO:
        """What was kept, from its beginning."""
        found: BinaryIO = self if self._file is None else self._file  # type: ignore[assignment]
        found.seek(0)
        return found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def _settle(self) -> None:
        head = self.getvalue()
        self._passing = self._enough(head)
        if not self._passing:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  close() closes it
            self._file.write(head)
            self.seek(0)
            self.truncate()
