"""A message and what it is made of: segments, fields and values, split no further than somebody asks.

Nothing is typed, nothing reordered, no segment dropped: what is a number for one reader is an identifier with
leading zeros for another. HL7 v2.8.2 chapter 2.5 and 2.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from importers.hl7v2.escapes import unescape
from importers.hl7v2.issue import Issue

NULL = '""'
"""The sender deletes the value (chapter 2.5.3.5): not the same as sending nothing"""

ABSENT = "\r"
"""Stands for a delimiter that MSH-2 does not declare: no field contains the end of its segment"""

HEADERS = frozenset({"MSH", "BHS", "FHS"})


class Delimiters(NamedTuple):
    """The characters that MSH-1 and MSH-2 declare, and the encoding in which hexadecimal escapes are meant."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    truncation: str
    encoding: str
    characters: dict[str, str]
    """what is escaped by a letter: F, S, T, R, E, P"""

    def unescape(self, text: str) -> str:
        if self.escape not in text:
            return text
        return unescape(text, self.escape, self.characters, self.encoding)


class Value:
    """A repetition of a field, or a component as if it were one; falsy when it says nothing."""

    __slots__ = ("_delimiters", "_depth", "_parts", "_place", "raw")

    def __init__(self, raw: str, delimiters: Delimiters, place: tuple[Segment, str], depth: int = 0) -> None:
        self.raw = raw
        self._delimiters = delimiters
        self._place = place
        self._depth = depth
        self._parts: list[str] | None = None

    def __bool__(self) -> bool:
        delimiters = self._delimiters
        bare = self.raw.strip(delimiters.component + delimiters.subcomponent + " ")
        return bare not in ("", NULL)

    def __repr__(self) -> str:
        return f"Value({self.place})"

    @property
    def place(self) -> str:
        """Where it stands, as `Issue.place`: `PID-3[2]`."""
        segment, inside = self._place
        return segment.place + inside

    @property
    def is_null(self) -> bool:
        """Whether the sender deletes what is stored."""
        return self.raw == NULL

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        """Unescaped, without blanks around; empty where nothing, or `""`, is said."""
        raw = self._component(component)
        if not raw:
            return ""
        delimiters = self._delimiters
        inner = delimiters.subcomponent if self._depth == 0 else ABSENT
        if inner in raw:
            parts = raw.split(inner)
            raw = parts[subcomponent - 1] if subcomponent <= len(parts) else ""
        elif subcomponent != 1:
            return ""
        if raw == NULL:
            return ""
        return delimiters.unescape(raw).strip()

    def formatted(self) -> str:
        """The whole value unescaped as it is, blanks kept, delimiters inside too: text of TX and FT."""
        return "" if self.raw == NULL else self._delimiters.unescape(self.raw)

    def component(self, number: int) -> Value:
        """A component whose components are its subcomponents."""
        segment, inside = self._place
        place = (segment, f"{inside}.{number}")
        return Value(self._component(number), self._delimiters, place, self._depth + 1)

    def _component(self, number: int) -> str:
        parts = self._parts
        if parts is None:
            separator = (self._delimiters.component, self._delimiters.subcomponent, ABSENT)[
                min(self._depth, 2)
            ]
            parts = self._parts = self.raw.split(separator)
        return parts[number - 1] if number <= len(parts) else ""


class Segment:
    """A line: `name`, `index` (from 0, in the message), `sequence` (from 1, among those of its name)."""

    __slots__ = ("_fields", "delimiters", "index", "line", "name", "sequence")

    def __init__(self, name: str, line: str, delimiters: Delimiters, index: int, sequence: int) -> None:
        self.name = name
        self.line = line
        self.delimiters = delimiters
        self.index = index
        self.sequence = sequence
        self._fields: list[str] | None = None

    def __repr__(self) -> str:
        return f"Segment({self.place})"

    @property
    def place(self) -> str:
        return self.name if self.sequence == 1 else f"{self.name}[{self.sequence}]"

    @property
    def fields(self) -> Sequence[str]:
        """The raw fields, numbered as HL7 does; the name of the segment is number 0."""
        fields = self._fields
        if fields is None:
            fields = self.line.split(self.delimiters.field)
            if self.name in HEADERS:
                fields.insert(1, self.delimiters.field)
            self._fields = fields
        return fields

    def raw(self, field: int) -> str:
        """As it was sent: escaped, with all repetitions."""
        fields = self._fields or self.fields
        return fields[field] if field < len(fields) else ""

    def text(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 0) -> str:
        """Unescaped, without blanks around; empty where nothing, or `""`, is said. Repetitions count from 0."""
        raw = self.raw(field)
        if not raw:
            return ""
        if self.name in HEADERS and field <= 2:
            return raw
        delimiters = self.delimiters
        if delimiters.repetition in raw:
            repetitions = raw.split(delimiters.repetition)
            raw = repetitions[repetition] if repetition < len(repetitions) else ""
        elif repetition:
            return ""
        if delimiters.component in raw:
            components = raw.split(delimiters.component)
            raw = components[component - 1] if component <= len(components) else ""
        elif component != 1:
            return ""
        if delimiters.subcomponent in raw:
            parts = raw.split(delimiters.subcomponent)
            raw = parts[subcomponent - 1] if subcomponent <= len(parts) else ""
        elif subcomponent != 1:
            return ""
        if raw == NULL:
            return ""
        return delimiters.unescape(raw).strip()

    def value(self, field: int) -> Value:
        """The first repetition that says something; a falsy Value if none does."""
        found = self.values(field)
        if found:
            return found[0]
        return Value(self.raw(field) if self.is_null(field) else "", self.delimiters, (self, f"-{field}"))

    def values(self, field: int) -> list[Value]:
        """The repetitions that say something."""
        raw = self.raw(field)
        if not raw:
            return []
        delimiters = self.delimiters
        if delimiters.repetition not in raw:
            single = Value(raw, delimiters, (self, f"-{field}"))
            return [single] if single else []
        every = (
            Value(each, delimiters, (self, f"-{field}[{number}]" if number > 1 else f"-{field}"))
            for number, each in enumerate(raw.split(delimiters.repetition), 1)
        )
        return [each for each in every if each]

    def is_null(self, field: int) -> bool:
        """Whether the sender deletes what is stored, by two quotation marks."""
        return self.raw(field) == NULL


class Message:
    """A message: its segments in the order in which they came, none left out."""

    __slots__ = ("_by_name", "delimiters", "header", "issues", "segments")

    def __init__(self, segments: list[Segment], issues: list[Issue]) -> None:
        self.segments = segments
        self.issues = issues
        self.header = segments[0]
        self.delimiters = self.header.delimiters
        self._by_name: dict[str, list[Segment]] = {}
        for segment in segments:
            self._by_name.setdefault(segment.name, []).append(segment)

    def first(self, name: str) -> Segment | None:
        found = self._by_name.get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Segment]:
        return self._by_name.get(name, [])

    @property
    def type(self) -> str:
        """MSH-9.1: `ORU`; table 0076."""
        return self.header.text(9).partition("_")[0].upper()

    @property
    def event(self) -> str:
        """MSH-9.2: `R01`, else EVN-1; table 0003."""
        event = self.header.text(9, 2)
        if not event and (recorded := self.first("EVN")) is not None:
            event = recorded.text(1)
        return event.upper()

    @property
    def structure(self) -> str:
        """MSH-9.3: `ORU_R01`; table 0354."""
        return self.header.text(9, 3)

    @property
    def control_id(self) -> str:
        """MSH-10 as it was sent, byte for byte, since MSA-2 repeats it."""
        return self.header.raw(10)

    @property
    def version(self) -> str:
        """MSH-12.1: `2.5.1`."""
        return self.header.text(12)

    @property
    def sending_application(self) -> str:
        return self.header.text(3)

    @property
    def sending_facility(self) -> str:
        return self.header.text(4)

    @property
    def receiving_application(self) -> str:
        return self.header.text(5)

    @property
    def receiving_facility(self) -> str:
        return self.header.text(6)

    @property
    def datetime(self) -> str:
        """MSH-7 as it was sent."""
        return self.header.text(7)
