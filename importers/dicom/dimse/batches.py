"""Instances of several associations, kept together: what comes while one batch is written makes the next."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from importers.dicom import answers
from importers.dicom.answers import Answer
from importers.dicom.intake import Arrive, Part, answer, opened
from resources.outcome import FHIRError

if TYPE_CHECKING:
    from importers.dicom.arrivals import Outcome
    from importers.dicom.dicom import Peer
    from importers.dicom.header import Header
    from importers.dicom.sources import SourceConfig

MOST = 200
"""Instances in a batch"""
PATIENCE = 60.0
"""Seconds until an instance that is not kept is answered with A700"""


@dataclass(slots=True)
class Association:
    """One association: who opened it, and what came of his instances so far."""

    peer: Peer
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """By study, instances by what became of them"""
    instances: int = 0
    busy: bool = False
    """An instance is in work"""

    def count(self, outcome: Outcome) -> None:
        self.counts.setdefault(outcome.study_uid, Counter())[outcome.status] += 1


@dataclass(frozen=True, slots=True)
class _Waiting:
    header: Header
    source: SourceConfig
    outcome: Future[Outcome]


class Batches:
    """Keeps instances that threads hand over, on the event loop it was made in."""

    def __init__(self, arrivals: Arrive, source_of: Callable[[Peer], SourceConfig]) -> None:
        self._arrivals = arrivals
        self._source_of = source_of
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    def store(self, part: Part, association: Association) -> Answer:
        """The answer to an instance, once it is durable; called in the thread of its association."""
        header = opened(part)
        if isinstance(header, Answer):
            return header
        source = self._source_of(association.peer)
        waiting = _Waiting(header, source, Future())
        self._loop.call_soon_threadsafe(self._add, waiting)
        try:
            outcome = waiting.outcome.result(PATIENCE)
        except (FHIRError, TimeoutError):
            away = "The database is away for a moment; send it again"
            return Answer(header.sop_class, header.sop_uid, answers.OUT_OF_RESOURCES, text=away)
        association.count(outcome)
        return answer(header, outcome, source)

    def _add(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = self._loop.create_task(self._write())

    async def _write(self) -> None:
        """Until nothing waits any more."""
        try:
            while self._waiting:
                source = self._waiting[0].source
                batch = [each for each in self._waiting if each.source is source][:MOST]
                taken = set(map(id, batch))
                self._waiting = [each for each in self._waiting if id(each) not in taken]
                await self._keep(batch, source)
        finally:
            self._writing = None

    async def _keep(self, batch: list[_Waiting], source: SourceConfig) -> None:
        try:
            outcomes = await self._arrivals.add([each.header for each in batch], source)
        except Exception as fault:
            for each in batch:
                each.outcome.set_exception(fault)
            return
        for each, outcome in zip(batch, outcomes, strict=True):
            each.outcome.set_result(outcome)
