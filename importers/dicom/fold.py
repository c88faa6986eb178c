"""Rows of a study → its ImagingStudy: some time after instances came in, and before somebody reads it.

A study is folded two seconds after its first instance, then when none has come for ten, after a minute, or after
5,000; so that ten thousand instances make a handful of versions. What is equal to what is stored is not written.
Two that fold the same study at once make the same of it. A process that dies leaves the mark that a study is to be
folded: another finds it. docs/dicom.md#growth
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from importers.dicom.instance import element
from importers.dicom.links import linked
from importers.dicom.origin import SOURCE_SYSTEM, UID_SYSTEM
from importers.dicom.patient import UNIDENTIFIED
from importers.dicom.results import retracted
from importers.dicom.rows import DicomStore, Folded, Group, Study
from importers.dicom.sources import SourceConfig, Sources
from importers.hl7v2.conversion import Adjust, Draft
from importers.hl7v2.identifiers import TYPES
from importers.hl7v2.issue import Issue
from importers.hl7v2.process import versions
from importers.hl7v2.reconcile import Drafted, Reconciled, UnclearError, reconciled
from importers.submit import Find, Sender, Submit
from resources.codec import Json
from resources.outcome import FHIRError

PAUSE = 0.5
"""Seconds between two looks for what is to be folded"""
CONFLICTS = 8
"""How often a study is reconciled again because others wrote what it is about"""
MOST_DIRTY, AT_ONCE = 50, 4
"""Studies that are folded before a search, and how many at the same time"""
MOST_ISSUES = 100
_IN_BETWEEN = {409, 412}
_AWAY = 503
OWN = ("started", "modality", "numberOfSeries", "numberOfInstances", "series")
"""What nobody but the instances says: what they say no longer is no longer there"""

log = structlog.get_logger()


class Build(Protocol):
    """What the rows of a study say, as drafts; pure. The ImagingStudy is among them, without `instance`."""

    def __call__(self, uid: str, groups: Sequence[Group], config: SourceConfig) -> Drafted: ...


@dataclass(slots=True)
class Told:
    """Drafts as `reconcile` takes them."""

    drafts: list[Draft]
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Work:
    """What studies are folded with."""

    store: DicomStore
    sources: Sources
    build: Build
    origin: Callable[[Study, Sequence[Json], SourceConfig], list[Json]]
    """What goes along with the entries of a transaction: where they come from"""
    find: Find
    submit: Submit
    turn: Callable[[str], AbstractAsyncContextManager[None]]


class Fold:
    """Folds studies; `run` those whose time has come, as long as it does."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @property
    def store(self) -> DicomStore:
        """What is kept of instances."""
        return self._work.store

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            if not await self._next():
                await asyncio.sleep(PAUSE)

    async def _next(self) -> bool:
        try:
            study = await self._work.store.claim()
            if study is not None:
                await self.fold(study)
        except FHIRError as fault:  # MongoDB is away; who looks next finds the study again
            log.warning("dicom_fold_waits", reason=str(fault))
            return False
        return study is not None

    async def fresh(self, reference: str) -> Study | None:
        """The study of an ImagingStudy, now that all that was acknowledged is in it; None where there is none."""
        study = await self._work.store.study_of(reference)
        if study is not None and study.dirty:
            await self.fold(study)
        return study

    async def up_to_date(self, uid: str) -> Folded | None:
        """What is stored of a study, now that all that was acknowledged is in it; None where there is none."""
        study = await self._work.store.study(uid)
        if study is None or not study.dirty:
            return None if study is None else Folded(study.reference)
        done = await self.fold(study)
        if done is None:
            again = await self._work.store.study(uid)
            told = again.fault if again is not None else None
            return Folded(study.reference, issues=(f"The study is kept, but could not be made FHIR: {told}",))
        return done

    async def rehearse(self, uid: str, groups: Sequence[Group], config: SourceConfig) -> Json:
        """The transaction that such groups would be; writes nothing."""
        study = Study(uid, "", config.name, 0, 0)
        made = await reconciled(await self._told(study, groups, config), self._work.find)
        return made.bundle

    async def all_fresh(self) -> None:
        """As many studies as change at any time in a hospital, before a search that may find them."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one(study: Study) -> None:
            async with free:
                await self.fold(study)

        waiting = await self._work.store.dirty(MOST_DIRTY)
        await asyncio.gather(*(one(each) for each in waiting if each.fault is None))

    async def fold(self, study: Study) -> Folded | None:
        """Makes the ImagingStudy say what the rows say. 503: MongoDB is away.

        What cannot be is noted and tried later; then the answer is None.
        """
        async with self._work.turn(f"dicom study {study.uid}"):
            found = await self._work.store.read(study.uid)
            if found is None:
                return None
            study = found[0]
            try:
                done = await self._folded(*found) if study.dirty else Folded(study.reference)
            except FHIRError as fault:
                if fault.status == _AWAY:
                    raise
                where = {each for issue in fault.issues for each in (issue.code, *issue.expression)}
                await self._failed(study, f"{fault.status} {', '.join(sorted(where))}")
            except UnclearError as unclear:
                await self._failed(study, unclear.issue.text)
            except Exception as unknown:
                log.exception("dicom_fold_failed")
                await self._failed(study, type(unknown).__name__)
            else:
                await self._work.store.folded(study, done)
                return done
            return None

    async def _failed(self, study: Study, fault: str) -> None:
        log.error("dicom_study_not_folded", study=study.uid, reason=fault)
        await self._work.store.failed(study, fault)

    async def _folded(self, study: Study, groups: Sequence[Group]) -> Folded:
        """What is stored of it."""
        config = self._work.sources.named(study.source)
        for attempt in range(CONFLICTS):
            told = await self._told(study, groups, config)
            if not told.drafts:
                return Folded(None)
            made = await reconciled(told, self._work.find, attempt)
            folded = _named(told, made)
            entries = made.bundle.get("entry")
            if not entries:
                return folded
            for entry in entries:
                if entry["request"].keys().isdisjoint({"ifMatch", "ifNoneMatch"}):
                    entry["request"]["ifNoneMatch"] = "*"
            bundle = {**made.bundle, "entry": [*entries, *self._work.origin(study, entries, config)]}
            try:
                response = await self._work.submit(bundle, sender_of(config))
            except FHIRError as fault:
                if fault.status not in _IN_BETWEEN:
                    raise
                last = fault
                await asyncio.sleep(random.uniform(0.5, 1) * min(0.01 * 2**attempt, 0.5))  # noqa: S311
            else:
                return replace(folded, written=versions(bundle, response) if response is not None else ())
        raise last

    async def _told(self, study: Study, groups: Sequence[Group], config: SourceConfig) -> Drafted:
        build = self._work.build
        told = build(study.uid, groups, config) if groups else Told(await self._withdrawn(study))
        [nobody] = await self._work.find([("Patient", f"identifier={UNIDENTIFIED}|{study.uid}")])
        for draft in told.drafts:
            if draft.resource["resourceType"] == "ImagingStudy":
                _represent(draft.resource, groups)
                draft.adjust = adjusting({f"Patient/{each['id']}" for each in nobody})
                draft.moves = True  # whoever it belongs to: a study has one ImagingStudy
        await linked(told.drafts, self._work.find)
        if study.reference is not None:
            told.drafts += await retracted(told.drafts, study.reference, self._work.find)
        return told

    async def _withdrawn(self, study: Study) -> list[Draft]:
        """The last instance is gone: the resource stays, for what refers to it, and says that it was in error."""
        match = f"identifier={UID_SYSTEM}|urn:oid:{study.uid}"
        [stored] = await self._work.find([("ImagingStudy", match)])
        if not stored:
            return []
        told: Json = {"resourceType": "ImagingStudy", "status": "entered-in-error"}
        told |= {"numberOfSeries": 0, "numberOfInstances": 0}
        return [Draft(told, f"urn:uuid:{stored[0]['id']}", (match,))]


def _represent(study: Json, groups: Sequence[Group]) -> None:
    """Of each series one instance of each class is in the stored version, so that searches by class find it."""
    firsts: dict[tuple[str, str], str] = {}
    for group in groups:
        for sop_class in group.sop_classes:
            key = group.series_uid, sop_class
            firsts[key] = min(firsts.get(key, group.first), group.first)
    for series in study.get("series", ()):
        series["instance"] = [
            element(first, sop_class, None, None)
            for (uid, sop_class), first in sorted(firsts.items())
            if uid == series["uid"]
        ]


def adjusting(nobody: AbstractSet[str]) -> Adjust:
    """What becomes of a stored ImagingStudy.

    It keeps its patient, whom nobody but a merge changes, and the visit that somebody has put it in. `nobody` are
    references to patients that are known by this study alone: they give way to whom it turns out to be of.
    """

    def adjusted(stored: Json, merged: Json, told: Json, newer: bool) -> Json:
        result = {name: value for name, value in merged.items() if name not in OWN or name in told}
        if told["status"] != "entered-in-error":
            kept = merged.get("identifier", [])
            result["identifier"] = [each for each in kept if not _corrected(each, told["identifier"])]
        subject = stored.get("subject", {}).get("reference")
        if subject and subject not in nobody and stored.get("status") != "entered-in-error":
            result["subject"] = stored["subject"]
        if "reference" in stored.get("encounter", {}):
            result["encounter"] = stored["encounter"]
        return result

    return adjusted


def _corrected(number: Json, told: Sequence[Json]) -> bool:
    """Whether it is an accession number that no instance says any more: nobody is to find the study by it."""
    codings = number.get("type", {}).get("coding", ())
    if not any((each.get("system"), each.get("code")) == (TYPES, "ACSN") for each in codings):
        return False
    same = (number.get("system"), number.get("value"))
    return all(same != (each.get("system"), each.get("value")) for each in told)


def _named(told: Drafted, made: Reconciled) -> Folded:
    found = {draft.resource["resourceType"]: made.references[draft.url] for draft in told.drafts}
    patient = found.get("Patient", "")
    issues = tuple(f"{each.place}: {each.text}".removeprefix(": ") for each in made.issues)
    known = patient if patient.startswith("Patient/") else None
    return Folded(found.get("ImagingStudy"), known, issues=issues[:MOST_ISSUES])


def sender_of(config: SourceConfig) -> Sender:
    """Whom the audit trail names: the source by the name of its settings."""
    who = {"identifier": {"system": SOURCE_SYSTEM, "value": config.name}, "display": config.name}
    return Sender(None, "DICOM", who)
