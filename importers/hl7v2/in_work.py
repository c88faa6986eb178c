"""The messages that this process works on, and the place in line of each: `InWork`.

A row that is to be tried again keeps its place while nobody works on it: nothing later may come before it.
docs/hl7v2.md#order-and-loss
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Collection

from importers.hl7v2.order import Order, Turn
from importers.hl7v2.patience import earlier_in_work
from importers.hl7v2.rows import Answered, FeedStore, Row


class InWork:
    """Tasks and turns by the id of their row."""

    def __init__(self, store: FeedStore) -> None:
        self._store = store
        self._order = Order()
        self._tasks: dict[str, asyncio.Task[Answered]] = {}
        self._turns: dict[str, Turn] = {}

    @property
    def ids(self) -> Collection[str]:
        """Rows that are worked on now."""
        return self._tasks.keys()

    def task(self, row_id: str) -> asyncio.Task[Answered] | None:
        return self._tasks.get(row_id)

    def begin(self, row: Row, work: Awaitable[Answered]) -> asyncio.Task[Answered]:
        """Takes the row's place in line at once, and works on it in a task of its own."""
        if row.id not in self._turns:
            self._turns[row.id] = self._order.turn(row.keys)
        task = asyncio.ensure_future(self._ended(row, work))
        self._tasks[row.id] = task
        task.add_done_callback(_heard)  # its caller may have gone
        return task

    async def _ended(self, row: Row, work: Awaitable[Answered]) -> Answered:
        kept = False
        try:
            answered = await work
            kept = answered.row.status == "retrying"
            return answered
        finally:
            del self._tasks[row.id]
            if not kept:
                self._turns.pop(row.id).end()

    async def turn(self, row: Row, until: float) -> None:
        """Returns when all that came before it for its patients is done, here and on other servers."""
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self._turns[row.id].wait()
        except TimeoutError:
            raise earlier_in_work() from None
        delay = 0.02
        # Tried again, it waits only for what is older by the clock: so that no two wait for each other.
        before = row.received if row.attempts > 1 else None
        while row.after and await self._store.still_open(row.after, before):
            if time.monotonic() > until:
                raise earlier_in_work()
            await asyncio.sleep(delay)
            delay = min(delay * 2, 1.0)

    async def leave_done(self) -> None:
        """Gives up the places of rows that another server has done meanwhile."""
        waiting = self._turns.keys() - self._tasks.keys()
        if waiting:
            for each in waiting - await self._store.still_open(waiting):
                self._turns.pop(each).end()

    async def idle(self) -> None:
        """Returns when nothing is in work."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))


def _heard(task: asyncio.Task[Answered]) -> None:
    """What it raised is in the log; the row is open, and will be tried again."""
    if not task.cancelled():
        task.exception()
