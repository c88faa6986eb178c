"""One line for each request, written in batches: a line by way of `logging` costs a sixth of a read.

No query strings, no bodies, no ids of resources: nothing that could be about a patient.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

SOON = 0.2
"""Seconds until a line is written, together with those that came meanwhile"""
MANY = 500


class AccessLog:
    """Collects lines and writes them to stderr, in the `style` of `fhir_server.log`; `on` is False where the log
    level asks for less.
    """

    def __init__(self, *, on: bool, style: str = "json") -> None:
        self._on = on
        self._lines: list[str] = []
        self._written = _coloured() if style == "console" else _json()
        self._due: asyncio.TimerHandle | None = None

    def line(self, **told: Any) -> None:
        """Writes a line soon."""
        if not self._on:
            return
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._lines.append(self._written({"timestamp": stamp, "level": "info", "event": "answered", **told}))
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
            sys.stderr.write("\n".join(lines) + "\n")
            sys.stderr.flush()


def _json() -> Callable[[dict[str, Any]], str]:
    encoder = msgspec.json.Encoder()
    return lambda told: encoder.encode(told).decode()


def _coloured() -> Callable[[dict[str, Any]], str]:
    renderer = structlog.dev.ConsoleRenderer()
    return lambda told: renderer(None, "info", told)
