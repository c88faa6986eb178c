"""What is kept of instances until, and after, they are folded into their study: rows, groups, studies, quarantine.

`fhir_server.store.dicom` implements the store; docs/dicom.md says what each state means to an operator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

State = Literal["active", "rejected", "gone"]
"""`active`: in the study. `rejected`: withdrawn by a note of the imaging department, stays so for patient safety.
`gone`: deleted; it may come again."""

Values = Mapping[str, Any]
"""Keyword of a DICOM attribute → plain value"""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as it is kept; what it has in common with others of its series and study lies beside it, once."""

    sop_uid: str
    study_uid: str
    series_uid: str
    sop_class: str
    digest: str
    """SHA-256 over all values that are mapped: the same in every transfer syntax"""
    study_attrs: str
    """Name of the values that are of the study and its patient"""
    series_attrs: str
    number: int | None = None
    title: str | None = None
    source: str = "default"
    """Name of the settings under which it came in"""
    at: datetime | None = None
    state: State = "active"


@dataclass(frozen=True, slots=True)
class Group:
    """The active instances of a series that say the same of study and series, and are of the same class."""

    series_uid: str
    study: Values
    series: Values
    count: int
    first: str
    """The smallest SOP Instance UID: ties are settled by it, in whatever order they came"""
    sop_classes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Study:
    """How far a study is: `seq` counts changes of its rows, `built` is the one its ImagingStudy was made of."""

    uid: str
    patient: str
    """Whose it is: system and number as one text; empty where nobody said so far"""
    source: str
    seq: int
    built: int
    reading: datetime | None = None
    """When the rows were last read for a fold"""
    last: datetime | None = None
    """When it last changed"""
    reference: str | None = None
    """`ImagingStudy/…` once there is one"""
    patient_reference: str | None = None
    fault: str | None = None
    """Why it could not be folded"""

    @property
    def dirty(self) -> bool:
        return self.seq != self.built


@dataclass(frozen=True, slots=True)
class Folded:
    """What came of a fold: references to the ImagingStudy and, where he has an id already, its Patient."""

    reference: str | None
    patient: str | None = None
    written: tuple[str, ...] = ()
    """`ImagingStudy/1/_history/2`"""
    issues: tuple[str, ...] = ()
    """Where instances contradict each other or say what FHIR cannot; no values"""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An instance that came under another patient than the rest of its study."""

    instance: Instance
    patient: str
    study: Values
    series: Values


@dataclass(frozen=True, slots=True)
class Pace:
    """When a study is folded: seconds after its first instance, of quiet, at most; or after so many changes."""

    first: float = 2.0
    quiet: float = 10.0
    most: float = 60.0
    count: int = 5000


class DicomStore(Protocol):
    """Keeps rows durably. Everything raises a FHIRError with status 503 while the database is away."""

    # Arrival

    async def studies(self, wanted: Mapping[str, tuple[str, str]]) -> Mapping[str, Study]:
        """Studies by UID; one that is not there begins with (patient, source). A study without a patient gets this one."""
        ...

    async def give(self, study: Study, patient: str) -> bool:
        """An empty study to another patient; False where somebody else has just done so."""
        ...

    async def instances(self, sop_uids: Collection[str]) -> Mapping[str, Instance]: ...

    async def put_attrs(self, attrs: Mapping[str, Values]) -> None:
        """Values by their name; those that are there already cost nothing."""
        ...

    async def insert(self, rows: Sequence[Instance]) -> set[str]:
        """SOP UIDs of those that were not there and are now, durably."""
        ...

    async def replace(self, row: Instance, before: Instance) -> bool:
        """False where what is there is no longer what it was."""
        ...

    async def mark(self, changes: Mapping[str, int]) -> None:
        """Says of studies how many of their rows have changed."""
        ...

    async def quarantine(self, some: Sequence[Quarantined]) -> None: ...

    # Fold

    async def study(self, uid: str) -> Study | None: ...

    async def study_of(self, reference: str) -> Study | None:
        """The study whose ImagingStudy that is."""
        ...

    async def studies_of(self, references: Sequence[str]) -> Mapping[str, Study]:
        """Such studies by the reference to their ImagingStudy."""
        ...

    async def dirty(self, most: int) -> Sequence[Study]:
        """Studies that have changed since they were folded, those first that wait longest."""
        ...

    async def claim(self) -> Study | None:
        """A study whose time has come and that nobody works on; taken for half a minute."""
        ...

    async def groups(self, uid: str) -> Sequence[Group]:
        """The active rows of a study, in groups."""
        ...

    async def read(self, uid: str) -> tuple[Study, Sequence[Group]] | None:
        """A study and, later, its active rows in groups: at least what the study counts."""
        ...

    async def folded(self, study: Study, done: Folded) -> None:
        """All up to `study.seq` is in the ImagingStudy."""
        ...

    async def failed(self, study: Study, fault: str) -> None:
        """It could not be folded; it is tried again later, each time later."""
        ...

    # Reading

    async def count(self, study_uid: str) -> int:
        """Active instances."""
        ...

    def listed(
        self, study_uid: str, *, most: int = 0, after: Instance | None = None
    ) -> AsyncIterator[Instance]:
        """Active instances, by series, number and UID, those that follow one; `most` of them, 0: all."""
        ...

    async def active(self, study_uids: Sequence[str]) -> Sequence[Instance]:
        """All active instances of some studies, by series, number and UID."""
        ...

    # Deleting

    async def withdraw(
        self,
        study_uid: str,
        series_uid: str | None = None,
        sop_uid: str | None = None,
        *,
        state: State = "gone",
    ) -> int:
        """Takes active rows out of their study and marks it; how many."""
        ...
