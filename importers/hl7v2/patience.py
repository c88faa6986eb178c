"""Waiting for a database that is away: again, with growing pauses, within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from resources.outcome import FHIRError, unavailable

PATIENCE = 20.0
"""Seconds that a sender waits while the database is away, before he is told to send again (AR)"""
_SHORTEST, _LONGEST = 0.05, 2.0

Answer = TypeVar("Answer")


async def patiently(attempt: Callable[[], Awaitable[Answer]], until: float) -> Answer:
    """What the attempt gives as soon as the database is there; its 503 when it is not by `until` (monotonic)."""
    delay = _SHORTEST
    while True:
        try:
            return await attempt()
        except FHIRError as fault:
            if fault.status != 503 or time.monotonic() + delay > until:
                raise
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LONGEST)


def earlier_in_work() -> FHIRError:
    """503: a message is not processed before those that came before it."""
    return unavailable("What came before it for the same patient is still in work")
