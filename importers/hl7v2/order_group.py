"""Orders and results as messages group them: ORC, OBR and what follows, also where senders are loose.

Groups are found by order of the segments alone, not by the structure that MSH-9.3 claims: ORC may be missing, come
once for several OBR or vaccinations, or after OBR (OUL); SPM may stand before its OBR (OUL), or before or after the OBX.
HL7 v2.8.2 chapters 4.4 and 7.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Message, Segment


@dataclass(slots=True)
class Result:
    """An OBX with the NTE after it."""

    obx: Segment
    notes: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class SpecimenGroup:
    """An SPM with what was observed of it."""

    spm: Segment
    results: list[Result] = field(default_factory=list)
    notes: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class OrderGroup:
    """An OBR, or an ORC alone, with all that belongs to it."""

    orc: Segment | None = None
    shared: bool = False
    """whether the ORC stands before an earlier OBR"""
    obr: Segment | None = None
    notes: list[Segment] = field(default_factory=list)
    timings: list[Segment] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    specimens: list[SpecimenGroup] = field(default_factory=list)
    others: list[Segment] = field(default_factory=list)
    """in their order: DG1, FT1, PRT, IPC, Z segments, …"""


@dataclass(slots=True)
class Orders:
    """What a message, or the part of it about one patient, says besides the patient and the visit."""

    groups: list[OrderGroup] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    """OBX before any order"""
    specimens: list[SpecimenGroup] = field(default_factory=list)
    """SPM before any order, of OUL^R22 and R23"""


def by_patient(conversion: Conversion) -> Iterator[Conversion]:
    """The parts of a message about each patient; drafts and issues are those of the whole."""
    message = conversion.message
    starts = [segment.index for segment in message.all("PID")]
    if len(starts) < 2:
        yield conversion
        return
    for start, end in zip(starts, [*starts[1:], len(message.segments)], strict=True):
        segments = message.segments[:1] + [
            segment for segment in message.segments[start:end] if segment.name not in ("MSH", "SFT", "UAC")
        ]
        yield replace(conversion, message=Message(segments, message.issues))


def orders(message: Message) -> Orders:
    """The groups of a message, in its order."""
    grouping = _Grouping(f"{message.type}^{message.event}")
    for segment in message.segments:
        grouping.take(segment)
    return grouping.found


class _Grouping:
    def __init__(self, kind: str) -> None:
        self.found = Orders()
        self.specimen_first = kind in _SPECIMEN_FIRST
        self.orc_after = kind in _ORC_AFTER
        self.vaccinations = kind.startswith("VXU")
        self.group: OrderGroup | None = None
        self.specimen: SpecimenGroup | None = None
        self.notes: list[Segment] | None = None

    def take(self, segment: Segment) -> None:
        name = segment.name
        if name == "OBX":
            self._obx(segment)
        elif name == "NTE":
            if self.notes is not None:
                self.notes.append(segment)
        elif name == "ORC":
            self._orc(segment)
        elif name == "OBR":
            self._obr(segment)
        elif name == "SPM":
            self._spm(segment)
        elif name == "TQ1":
            if self.group is not None:
                self.group.timings.append(segment)
        elif name in _MEDICATION:
            self._medication(segment).others.append(segment)
        elif name not in _AROUND and self.group is not None:
            self.group.others.append(segment)
            if name in _WITH_NOTES:
                self.notes = self.group.notes if name == "DG1" else None
        elif name in _WITH_NOTES:
            self.notes = None

    def _obx(self, segment: Segment) -> None:
        result = Result(segment)
        self.notes = result.notes
        if self.specimen is not None:
            self.specimen.results.append(result)
        elif self.group is not None:
            self.group.results.append(result)
        else:
            self.found.results.append(result)

    def _orc(self, segment: Segment) -> None:
        group = self.group
        if group is not None and group.orc is None and not group.results and self.orc_after:
            group.orc = segment
            return
        self._start(OrderGroup(orc=segment))

    def _obr(self, segment: Segment) -> None:
        group = self.group
        if group is None or group.obr is not None:
            earlier = group.orc if group is not None and not self.orc_after else None
            group = self._start(OrderGroup(orc=earlier, shared=earlier is not None))
        group.obr = segment
        self.notes = group.notes

    def _medication(self, segment: Segment) -> OrderGroup:
        """The group it belongs to: one of its own without ORC, and of each vaccination after the first of an ORC."""
        group = self.group
        given = group is not None and any(each.name == "RXA" for each in group.others)
        if group is None or (self.vaccinations and segment.name == "RXA" and given):
            return self._start(OrderGroup())
        return group

    def _spm(self, segment: Segment) -> None:
        specimen = SpecimenGroup(segment)
        self.notes = specimen.notes
        if self.group is None or self.specimen_first:
            if self.specimen_first and self.group is not None:
                self.group = None
            self.found.specimens.append(specimen)
            self.specimen = specimen
            return
        self.group.specimens.append(specimen)
        self.specimen = specimen if self.group.results else None

    def _start(self, group: OrderGroup) -> OrderGroup:
        if self.specimen_first and self.found.specimens:
            group.specimens.append(self.found.specimens[-1])
        self.found.groups.append(group)
        self.group, self.specimen, self.notes = group, None, group.notes
        return group


_SPECIMEN_FIRST = frozenset({"OUL^R22", "OUL^R23", "OML^O33", "OML^O35"})
_ORC_AFTER = _SPECIMEN_FIRST | {"OUL^R24"}
_MEDICATION = frozenset({"RXO", "RXE", "RXD", "RXG", "RXA"})
_AROUND = frozenset(
    {"MSH", "SFT", "UAC", "PID", "PD1", "NK1", "PV1", "PV2", "EVN", "MSA", "QRD", "QRF", "DSC"}
)
_WITH_NOTES = frozenset({"PID", "NK1", "PV1", "PV2", "DG1", "AL1", "PRB", "GOL", "SCH", "IN1", "GT1", "CTD"})
"""Segments whose own NTE are not about the order before them, but for the reason of the order (DG1)"""
