"""Instances as they come in: kept durably, each once, and their studies marked to be folded.

    same UID, same content              same: nothing is written
    same UID, other content             kept_first, or replaced, as the settings of the source say
    same UID, other study or series     refused
    a study under another patient       quarantined: no study changes its patient because somebody sent it so
    after a rejection for safety        refused

All of it may happen at once, in several processes and in any order. docs/dicom.md#identity
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from importers.dicom.header import Header
from importers.dicom.rows import DicomStore, Instance, Quarantined, Study, Values
from importers.dicom.sources import SourceConfig
from resources.outcome import unavailable

Status = Literal["stored", "same", "replaced", "kept_first", "quarantined", "refused"]
DURABLE: frozenset[Status] = frozenset({"stored", "same", "replaced", "kept_first"})
"""What the sender need not send again"""

RACES = 8
LATE = timedelta(seconds=60)
"""How long writing a row may take: one that is younger than the last fold by more was surely folded"""
REMEMBERED, FOR = 10_000, 60.0
"""Studies whose patient is remembered, and for how many seconds"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an instance; `reason` holds no value of it but UIDs."""

    sop_uid: str
    study_uid: str
    status: Status
    reason: str = ""

    @property
    def durable(self) -> bool:
        return self.status in DURABLE


@dataclass(frozen=True, slots=True)
class Described:
    """A Header taken apart: its row, what it shares with others, and whose it is."""

    row: Instance
    study: Values
    series: Values
    patient: str
    """System and number as a search has them (`urn:oid:1.2.3|4711`); empty where it names nobody"""


Describe = Callable[[Header, SourceConfig], Described]
SamePerson = Callable[[str, str], Awaitable[bool]]
"""Whether two numbers are of one patient by now"""


class Arrivals:
    """Takes instances, whichever door they come through."""

    def __init__(
        self, store: DicomStore, describe: Describe, same_person: SamePerson, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._describe = describe
        self._same_person = same_person
        self._now = now
        self._patients: dict[str, tuple[str, float]] = {}

    async def add(self, headers: Sequence[Header], source: SourceConfig) -> list[Outcome]:
        """What became of each, durably; a FHIRError with 503 while the database is away: then all may be sent again."""
        moment = self._now()
        all_ = [self._describe(each, source) for each in headers]
        all_ = [replace(each, row=replace(each.row, at=moment)) for each in all_]
        outcomes: list[Outcome | None] = [None] * len(all_)
        changes: Counter[str] = Counter()
        waiting = list(range(len(all_)))
        while waiting:
            wave = _distinct(waiting, all_)
            await self._wave({number: all_[number] for number in wave}, source, outcomes, changes)
            waiting = [number for number in waiting if number not in wave]
        if changes:
            await self._store.mark(changes)
        return [each for each in outcomes if each is not None]

    async def _wave(
        self,
        wave: dict[int, Described],
        source: SourceConfig,
        outcomes: list[Outcome | None],
        changes: Counter[str],
    ) -> None:
        """Those of one wave have different UIDs."""
        strange = await self._of_others(wave.values(), source)
        quarantined = [
            Quarantined(each.row, each.patient, each.study, each.series)
            for each in wave.values()
            if each.row.study_uid in strange and each.patient in strange[each.row.study_uid]
        ]
        if quarantined:
            await self._store.quarantine(quarantined)
        apart = {each.instance.sop_uid for each in quarantined}
        told = {
            each.row.sop_uid: Outcome(each.row.sop_uid, each.row.study_uid, "quarantined", _OTHER_PATIENT)
            for each in wave.values()
            if each.row.sop_uid in apart
        }
        rest = [each for each in wave.values() if each.row.sop_uid not in apart]
        if rest:
            told |= await self._kept(rest, source, changes)
        for number, each in wave.items():
            outcomes[number] = told[each.row.sop_uid]

    # Whose they are

    async def _of_others(self, some: Iterable[Described], source: SourceConfig) -> dict[str, set[str]]:
        """By study, the patients under whom it came and whose it is not."""
        patients: dict[str, set[str]] = {}
        for each in some:
            patients.setdefault(each.row.study_uid, set()).add(each.patient)
        late = time.monotonic() - FOR
        open_ = {}
        for uid, named in patients.items():
            owner, since = self._patients.get(uid, ("", 0.0))
            if not owner or since < late or not named <= {owner, ""}:
                open_[uid] = named
        if not open_:
            return {}
        # Of several patients of a new study in one request the first by name is as good as any.
        wanted = {uid: (min(filter(None, named), default=""), source.name) for uid, named in open_.items()}
        studies = await self._store.studies(wanted)
        strange: dict[str, set[str]] = {}
        for uid, named in open_.items():
            study = studies[uid]
            for patient in sorted(named - {"", study.patient}):
                if not await self._is_owner(study, patient):
                    strange.setdefault(uid, set()).add(patient)
            self._remember(uid, study.patient)
        return strange

    async def _is_owner(self, study: Study, patient: str) -> bool:
        """Whether he is the patient of the study by another number, or the study was emptied and can be his."""
        if await self._same_person(study.patient, patient):
            return True
        if not study.seq:  # whose first instances are on their way
            return False
        return await self._store.count(study.uid) == 0 and await self._store.give(study, patient)

    def _remember(self, uid: str, patient: str) -> None:
        if len(self._patients) >= REMEMBERED:
            self._patients.clear()
        self._patients[uid] = (patient, time.monotonic())

    # What is kept

    async def _kept(
        self, some: list[Described], source: SourceConfig, changes: Counter[str]
    ) -> dict[str, Outcome]:
        attrs = {each.row.study_attrs: each.study for each in some}
        await self._store.put_attrs(attrs | {each.row.series_attrs: each.series for each in some})
        rows = {each.row.sop_uid: each.row for each in some}
        told: dict[str, Outcome] = {}
        for _ in range(RACES):
            new = await self._store.insert(list(rows.values()))
            for sop_uid in new:
                changes[rows[sop_uid].study_uid] += 1
                told[sop_uid] = Outcome(sop_uid, rows[sop_uid].study_uid, "stored")
            rows = {sop_uid: row for sop_uid, row in rows.items() if sop_uid not in told}
            if not rows:
                return told
            there = await self._store.instances(rows)
            for sop_uid, row in rows.items():
                outcome = await self._again(row, there[sop_uid], source) if sop_uid in there else None
                if outcome is None:
                    continue
                told[sop_uid] = outcome
                if outcome.status == "replaced" or (
                    outcome.status == "same" and await self._may_be_unmarked(there[sop_uid])
                ):
                    changes[row.study_uid] += 1
            rows = {sop_uid: row for sop_uid, row in rows.items() if sop_uid not in told}
            if not rows:
                return told
        raise unavailable("Others kept sending the same instances; send them again")

    async def _again(self, row: Instance, there: Instance, source: SourceConfig) -> Outcome | None:
        """What becomes of one whose UID is known; None where somebody else has just changed it."""

        def outcome(status: Status, reason: str = "") -> Outcome:
            return Outcome(row.sop_uid, row.study_uid, status, reason)

        if (row.study_uid, row.series_uid) != (there.study_uid, there.series_uid):
            return outcome("refused", "An instance with this UID is in another study or series")
        if there.state == "rejected":
            return outcome("refused", "It was rejected for patient safety and is not taken again")
        if there.state == "gone":
            return outcome("replaced") if await self._store.replace(row, there) else None
        if row.digest == there.digest:
            return outcome("same")
        if source.keep == "first":
            return outcome("kept_first", "It came before with other content, which was kept")
        return outcome("replaced") if await self._store.replace(row, there) else None

    async def _may_be_unmarked(self, there: Instance) -> bool:
        """Whether who wrote the row may have died before its study was marked: a fold too many does no harm."""
        study = await self._store.study(there.study_uid)
        if study is None or study.dirty:
            return False
        return study.reading is None or there.at is None or there.at > study.reading - LATE


def _distinct(waiting: Sequence[int], all_: Sequence[Described]) -> set[int]:
    """The first of those with the same UID."""
    first: dict[str, int] = {}
    for number in waiting:
        first.setdefault(all_[number].row.sop_uid, number)
    return set(first.values())


_OTHER_PATIENT = "Its study belongs to another patient; it is kept aside for somebody to decide"
