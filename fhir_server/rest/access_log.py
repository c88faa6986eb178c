"""One JSON line for each request, written in batches: a line by way of `logging` costs a sixth of a read.

No query strings, no bodies, no ids of resources: nothing that could be about a patient.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

SOON = 0.2
"""Seconds until a line is written, together with those that came meanwhile"""
MANY = 500


class AccessLog:
    """Collects lines and writes them to stderr; `on` is False where the log level asks for less."""

    def __init__(self, *, on: bool) -> None:
        self._on = on
        self._lines: list[bytes] = []
        self._encoder = msgspec.json.Encoder()
        self._due: asyncio.TimerHandle | None = None

    def line(self, **told: Any) -> None:
        """Writes a line soon."""
        if not self._on:
            return
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._lines.append(self._encoder.encode({"timestamp": stamp, "event": "answered", **told}))
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(SOON, self.flush)
        elif len(self._lines) >= MANY:
            self.flush()

    def flush(self) -> None:
        """Writes what is waiting."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        lines, self._lines = self._lines, []
        if lines:
            sys.stderr.write(b"\n".join(lines).decode() + "\n")
            sys.stderr.flush()
