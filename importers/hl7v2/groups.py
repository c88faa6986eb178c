"""Which segments belong together, by what they are and not by where the structure of a message wants them.

Senders leave out ORC, put SPM before or after the results, OBR before ORC, PV1 behind the orders. No segment is lost:
each is in exactly one Part. HL7 v2.8.2 chapters 4 and 7 have the structures that this reads loosely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from importers.hl7v2.er7 import Message, Segment

_OF_PATIENT = frozenset(
    [
        "PD1",
        "NK1",
        "PV1",
        "PV2",
        "IN1",
        "IN2",
        "IN3",
        "GT1",
        "AL1",
        "IAM",
        "IAR",
        "ARV",
        "DB1",
        "PDA",
        "MRG",
        "ACC",
        "UB1",
        "UB2",
    ]
)
"""Segments that speak of the patient or the visit wherever they stand"""
_FAMILIES = {"OBR": "OBR", "TXA": "TXA", "ODS": "ODS", "ODT": "ODS", "RQD": "RQD"} | dict.fromkeys(
    ("RXO", "RXE", "RXD", "RXG", "RXA"), "RX"
)
"""Segments that say what is ordered or done; those of one family are stages of one order"""
_ATTACHED = frozenset(("NTE", "PRT", "ROL", "CTD"))
"""Segments that speak of the one before them"""
_BETWEEN_ORC_AND_DETAIL = frozenset(
    ("NTE", "PRT", "ROL", "CTD", "TQ1", "TQ2", "SPM", "SAC", "OBX", "CTI", "BLG")
)


@dataclass(slots=True)
class Part:
    """A segment with what is attached to it: its notes and participants."""

    segment: Segment
    attached: list[Segment] = field(default_factory=list)

    @property
    def notes(self) -> list[Segment]:
        return [each for each in self.attached if each.name == "NTE"]

    @property
    def participants(self) -> list[Segment]:
        """PRT and ROL."""
        return [each for each in self.attached if each.name in ("PRT", "ROL")]


class _Parts:
    parts: list[Part]

    def first(self, name: str) -> Segment | None:
        return next((part.segment for part in self.parts if part.segment.name == name), None)

    def all(self, name: str) -> list[Part]:
        return [part for part in self.parts if part.segment.name == name]


@dataclass(slots=True)
class Order(_Parts):
    """An order or a report: ORC, what it is about, its results and specimens, in the order of the message.

    `orc` may belong to several Orders: of senders who write it once before several OBR.
    """

    orc: Segment | None = None
    parts: list[Part] = field(default_factory=list)
    inherited: list[Part] = field(default_factory=list)
    """SPM and SAC that stand before several orders and hold for each"""
    families: set[str] = field(default_factory=set)

    @property
    def obr(self) -> Segment | None:
        return self.first("OBR")

    @property
    def specimens(self) -> list[Part]:
        return [part for part in (*self.inherited, *self.parts) if part.segment.name == "SPM"]

    @property
    def observations(self) -> list[Part]:
        """OBX, those behind an SPM included."""
        return self.all("OBX")


@dataclass(slots=True)
class PatientGroup(_Parts):
    """A PID and all that follows it until the next; `pid` is None where the message has none."""

    pid: Segment | None
    parts: list[Part] = field(default_factory=list)
    """what is in no order, PID included"""
    orders: list[Order] = field(default_factory=list)


def patients(message: Message) -> list[PatientGroup]:
    """The groups of a message, MSH and what stands before the first PID in the first; at least one."""
    return _Grouping(message.segments).groups


class _Grouping:
    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        self.groups = [PatientGroup(None)]
        self.order: Order | None = None
        self.last: Part | None = None
        self.specimens: list[Part] = []
        names = [segment.name for segment in segments]
        first = next((name for name in names if name in ("SPM", "ORC", "OBR")), "")
        self.specimen_first = first == "SPM"
        for position, segment in enumerate(segments):
            self._take(segment, position)

    @property
    def group(self) -> PatientGroup:
        return self.groups[-1]

    def _take(self, segment: Segment, position: int) -> None:
        name = segment.name
        if name in _ATTACHED and self.last is not None:
            self.last.attached.append(segment)
        elif name == "PID":
            self._begin_patient(segment)
        elif name in _OF_PATIENT:
            self._add(self.group.parts, segment)
        elif name == "ORC":
            self._take_orc(segment, position)
        elif name in _FAMILIES:
            self._take_detail(segment)
        elif name == "SPM" and self.specimen_first:
            self._take_leading_specimen(segment)
        elif self.order is None:
            self._add(self.group.parts, segment)
        else:
            self._add(self.order.parts, segment)

    def _add(self, parts: list[Part], segment: Segment) -> None:
        self.last = Part(segment)
        parts.append(self.last)

    def _begin_patient(self, pid: Segment) -> None:
        if self.group.pid is None:
            self.group.pid = pid
        else:
            self.groups.append(PatientGroup(pid))
        self.order = None
        self.specimens = []
        self._add(self.group.parts, pid)

    def _begin_order(self, orc: Segment | None) -> Order:
        self.order = Order(orc, inherited=list(self.specimens))
        self.group.orders.append(self.order)
        return self.order

    def _take_orc(self, orc: Segment, position: int) -> None:
        """Begins an order, unless what it is about stands before it already."""
        current = self.order
        if current is None or current.orc is not None or self._detail_follows(position):
            current = self._begin_order(orc)
        current.orc = orc
        self._add(current.parts, orc)

    def _detail_follows(self, position: int) -> bool:
        for segment in self._after(position):
            if segment.name in _FAMILIES:
                return True
            if segment.name not in _BETWEEN_ORC_AND_DETAIL or segment.name == "OBX":
                return False
        return False

    def _after(self, position: int) -> Iterator[Segment]:
        return (self.segments[later] for later in range(position + 1, len(self.segments)))

    def _take_detail(self, segment: Segment) -> None:
        """Begins an order where the current one has such a segment already; RXE after RXO is the same order."""
        family = _FAMILIES[segment.name]
        current = self.order
        if (
            current is None
            or (current.families and family not in current.families)
            or current.first(segment.name)
        ):
            shared = (
                current.orc
                if current is not None and family != "TXA" and family in current.families
                else None
            )
            current = self._begin_order(shared)
        current.families.add(family)
        self._add(current.parts, segment)

    def _take_leading_specimen(self, segment: Segment) -> None:
        """Of a message that tells of specimens first: it holds for the orders until the next specimen."""
        if self.order is not None:
            self.order = None
            self.specimens = []
        self._add(self.group.parts, segment)
        assert self.last is not None
        self.specimens.append(self.last)
