"""Turns by key: who asks for a place in line first is first at each of his keys; nobody else waits.

Of one sender what is about one patient is processed in the order it came in, whatever connection brought it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Turn:
    """A place in line; `wait` returns when all who stood before it at one of its keys have ended."""

    def __init__(self, order: Order, keys: frozenset[str], before: frozenset[Turn]) -> None:
        self._order = order
        self._keys = keys
        self._before = before
        self._ended = asyncio.Event()

    async def wait(self) -> None:
        for each in self._before:
            await each._ended.wait()  # noqa: SLF001  of its own class
        self._before = frozenset()

    def end(self) -> None:
        """Lets those behind go on; may be said twice."""
        self._ended.set()
        self._order.leave(self, self._keys)


class Order:
    """The lines at all keys that anybody stands at."""

    def __init__(self) -> None:
        self._last: dict[str, Turn] = {}

    def turn(self, keys: Iterable[str]) -> Turn:
        """Takes a place behind all who stand at one of the keys; without keys nobody is waited for."""
        wanted = frozenset(keys)
        turn = Turn(self, wanted, frozenset(self._last[key] for key in wanted if key in self._last))
        self._last.update(dict.fromkeys(wanted, turn))
        return turn

    def leave(self, turn: Turn, keys: Iterable[str]) -> None:
        """Forgets the line at each key where nobody stands behind."""
        for key in keys:
            if self._last.get(key) is turn:
                del self._last[key]
