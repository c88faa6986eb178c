"""Asks the database what a search needs to know: the I/O of `fhir_server.search`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from fhir_server.search.ask import Ask, Planning
from fhir_server.store.faults import TooSlow
from resources.outcome import FHIRError, error

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit

T = TypeVar("T")

AT_ONCE = 8
"""Questions of one level that are under way at the same time"""


@contextmanager
def bounded(unit: Unit, what: str) -> Iterator[int]:
    """Gives the milliseconds after which MongoDB stops a step of a search; 503 that says what took as long."""
    try:
        yield unit.store.search_milliseconds
    except TooSlow:
        raise _slow(unit, what) from None


def _slow(unit: Unit, what: str) -> FHIRError:
    text = (
        f"The search was stopped, for {what} took longer than the {unit.store.search_milliseconds / 1000:g} s it may. "
        f"Narrow it, for example by a patient, a code or a date"
    )
    return error(503, "too-costly", text)


async def planned(unit: Unit, planning: Planning[T]) -> T:
    """What the planning returns, once everything it asks for was found; 503 if that takes too long as a whole."""
    until = time.monotonic() + unit.store.search_milliseconds / 1000
    try:
        asks = next(planning)
        while True:
            asks = planning.send(await _answers(unit, asks, until))
    except StopIteration as end:
        result: T = end.value
        return result


async def _answers(unit: Unit, asks: Sequence[Ask], until: float) -> list[list[Document]]:
    # In a transaction MongoDB takes one at a time.
    at_once = AT_ONCE if unit.session is None else 1
    found: list[list[Document]] = []
    for start in range(0, len(asks), at_once):
        left = round((until - time.monotonic()) * 1000)
        if left <= 0:
            raise _slow(unit, f"to look into {', '.join(sorted({ask.resource_type for ask in asks}))}")
        found += await together(*(_answer(unit, ask, left) for ask in asks[start : start + at_once]))
    return found


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """All results, in order; when one fails the others are stopped."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _answer(unit: Unit, ask: Ask, most_milliseconds: int) -> list[Document]:
    with bounded(unit, f"to look into {ask.resource_type}"):
        return await _found(unit, ask, most_milliseconds)


async def _found(unit: Unit, ask: Ask, most_milliseconds: int) -> list[Document]:
    if ask.distinct is not None:
        return await unit.distinct(
            ask.resource_type,
            ask.filter,
            ask.distinct,
            prefix=ask.prefix,
            limit=ask.limit,
            max_time_ms=most_milliseconds,
        )
    return await unit.find(
        ask.resource_type,
        ask.filter,
        sort=ask.sort or None,
        limit=ask.limit,
        projection=None if ask.projection is None else dict(ask.projection),
        max_time_ms=most_milliseconds,
    )
