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

    __slots__ = ("_delimiters", "_inner", "_outer", "_parts", "_place", "_segment", "raw")

    def __init__(self, raw: str, segment: Segment, place: tuple[int, ...]) -> None:
        """`place` is field, repetition from 1, component, subcomponent, as far as it goes."""
        self.raw = raw
        self._segment = segment
        self._place = place
        self._delimiters = delimiters = segment.delimiters
        depth = len(place)
        self._outer = (
            delimiters.component if depth == 2 else delimiters.subcomponent if depth == 3 else ABSENT
        )
        self._inner = delimiters.subcomponent if depth == 2 else ABSENT
        self._parts: list[str] | None = None

    def __bool__(self) -> bool:
        raw = self.raw
        if raw[:1].isalnum():
            return True
        bare = raw.strip(f"{self._delimiters.component}{self._delimiters.subcomponent} ")
        return bare not in ("", NULL)

    def __repr__(self) -> str:
        return f"Value({self.place})"

    @property
    def place(self) -> str:
        """Where it stands, as `Issue.place`: `PID-3[2]`."""
        field, repetition, *inside = self._place
        number = f"[{repetition}]" if repetition > 1 else ""
        return ".".join((f"{self._segment.place}-{field}{number}", *map(str, inside)))

    @property
    def is_null(self) -> bool:
        """Whether the sender deletes what is stored."""
        return self.raw == NULL

    @property
    def size(self) -> int:
        """How many components were sent; those behind them are empty."""
        parts = self._parts
        if parts is None:
            parts = self._parts = self.raw.split(self._outer)
        return len(parts)

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        """Unescaped, without blanks around; empty where nothing, or `""`, is said."""
        parts = self._parts
        if parts is None:
            parts = self._parts = self.raw.split(self._outer)
        if component > len(parts):
            return ""
        raw = parts[component - 1]
        if not raw:
            return ""
        if raw.isalnum():  # most are, and no delimiter is
            return raw if subcomponent == 1 else ""
        if self._inner in raw:
            inside = raw.split(self._inner)
            raw = inside[subcomponent - 1] if subcomponent <= len(inside) else ""
        elif subcomponent != 1:
            return ""
        if raw == NULL:
            return ""
        delimiters = self._delimiters
        if delimiters.escape in raw:
            raw = delimiters.unescape(raw)
        return raw.strip()

    def texts(self, count: int) -> list[str]:
        """The texts of so many components, by their numbers; the one at 0 is empty."""
        number = min(self.size, count)
        return ["", *[self.text(each) for each in range(1, number + 1)], *[""] * (count - number)]

    def formatted(self) -> str:
        """The whole value unescaped as it is, blanks kept, delimiters inside too: text of TX and FT."""
        return "" if self.raw == NULL else self._delimiters.unescape(self.raw)

    def component(self, number: int) -> Value:
        """A component whose components are its subcomponents."""
        raw = self._parts[number - 1] if number <= self.size and self._parts else ""
        return Value(raw, self._segment, (*self._place, number))


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
        fields = self._fields or self.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return ""
        if raw.isalnum():
            return raw if component == subcomponent == 1 and not repetition else ""
        if field <= 2 and self.name in HEADERS:
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
        if delimiters.escape in raw:
            raw = delimiters.unescape(raw)
        return raw.strip()

    def value(self, field: int) -> Value:
        """The first repetition that says something; a falsy Value if none does."""
        found = self.values(field)
        if found:
            return found[0]
        return Value(NULL if self.is_null(field) else "", self, (field, 1))

    def values(self, field: int) -> list[Value]:
        """The repetitions that say something."""
        fields = self._fields or self.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return []
        repetition = self.delimiters.repetition
        if repetition not in raw:
            single = Value(raw, self, (field, 1))
            return [single] if raw[0].isalnum() or single else []
        every = (Value(each, self, (field, number)) for number, each in enumerate(raw.split(repetition), 1))
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
