"""What a server has at hand for DICOM: how instances come in, how they become studies, and who is told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from importers.dicom.arrivals import Arrivals, Described, Outcome
from importers.dicom.describe import describe
from importers.dicom.fold import Fold
from importers.dicom.header import Header
from importers.dicom.rows import DicomStore, Group
from importers.dicom.sources import SourceConfig, Sources
from resources.codec import Json

Door = Literal["C-STORE", "STOW-RS", "FHIR", "file"]


@dataclass(frozen=True, slots=True)
class Peer:
    """Where instances come from: the door, network address, what the peer says of itself, and its AE title."""

    door: Door
    address: str | None = None
    software: str | None = None
    ae: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What came of one study in one request or association."""

    study_uid: str
    peer: Peer
    source: str
    """Name of its settings"""
    counts: Counter[str]
    """Instances by what became of them"""
    patient: str | None = None
    """`Patient/…` where it is known already"""


class Tell(Protocol):
    """Leaves an AuditEvent of transfers; 503 where it cannot."""

    async def __call__(self, transfers: Sequence[Transfer]) -> None: ...


@dataclass(frozen=True, slots=True)
class Dicom:
    """All of it, put together by the server."""

    store: DicomStore
    sources: Sources
    arrivals: Arrivals
    fold: Fold
    tell: Tell
    shown: int
    """Instances that are listed in an ImagingStudy which is read"""

    def source_of(self, peer: Peer) -> SourceConfig:
        return self.sources.of(peer.ae, peer.address)

    async def rehearse(self, uid: str, headers: Sequence[Header], source: SourceConfig) -> Json:
        """The transaction by which instances of a study would be added to what is stored of it; writes nothing."""
        there = await self.store.instances([each.sop_uid for each in headers])
        new = grouped((each for each in headers if each.sop_uid not in there), source)
        return await self.fold.rehearse(uid, [*await self.store.groups(uid), *new], source)

    async def told(self, peer: Peer, outcomes: Sequence[Outcome]) -> None:
        """One AuditEvent for each study of a request, before it is answered."""
        by_study: dict[str, Counter[str]] = {}
        for each in outcomes:
            by_study.setdefault(each.study_uid, Counter())[each.status] += 1
        await self.counted(peer, by_study)

    async def counted(self, peer: Peer, by_study: Mapping[str, Counter[str]]) -> None:
        """The same of an association, at its end: of each study, instances by what became of them."""
        source = self.source_of(peer).name
        transfers = []
        for uid, counts in by_study.items():
            study = await self.store.study(uid)
            patient = study.patient_reference if study is not None else None
            transfers.append(Transfer(uid, peer, source, counts, patient))
        if transfers:
            await self.tell(transfers)


def grouped(headers: Iterable[Header], source: SourceConfig) -> list[Group]:
    """Instances of a study in groups, as the store has them; each UID counts once."""
    members: dict[tuple[str, ...], list[Described]] = {}
    for each in {header.sop_uid: header for header in headers}.values():
        made = describe(each, source)
        key = made.row.series_uid, made.row.study_attrs, made.row.series_attrs, made.row.sop_class
        members.setdefault(key, []).append(made)
    return [
        Group(
            some[0].row.series_uid,
            some[0].study,
            some[0].series,
            len(some),
            min(each.row.sop_uid for each in some),
            frozenset({some[0].row.sop_class}),
        )
        for _, some in sorted(members.items(), key=lambda each: each[0])
    ]
