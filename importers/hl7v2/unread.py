"""What a sender said and no mapping looked at: told where a message is shown, so that nobody has to wonder where it went.

The mapping itself says what it reads: the message is converted once more from segments that take note of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsIndex, overload

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.convert import convert
from importers.hl7v2.issue import OTHER_ERROR, Issue
from importers.hl7v2.message import Message, Segment

_OTHERWISE = frozenset({"MSH", "EVN", "SFT", "UAC", "DSC"})
"""Segments about the message, which MessageHeader and Provenance tell"""
_SET_ID = 1


class _Fields(list[str]):
    """Fields of a segment that take note of which of them were read."""

    def __init__(self, fields: Iterable[str]) -> None:
        super().__init__(fields)
        self.read: set[int] = set()

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> str: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[str]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> str | list[str]:
        if isinstance(index, int):
            self.read.add(index)
        return super().__getitem__(index)


class _Noting(Segment):
    __slots__ = ("noted",)

    def __init__(self, segment: Segment) -> None:
        super().__init__(segment.name, segment.line, segment.delimiters, segment.index, segment.sequence)
        self.noted = _Fields(segment.fields)
        self._fields = self.noted


def unread(message: Message, config: FeedConfig) -> list[Issue]:
    """An issue (information) for each segment, or field that has content, which the mapping does not read.

    Raises ConversionError as `convert` does.
    """
    segments = [_Noting(segment) for segment in message.segments]
    convert(Message(list(segments), []), config)
    read = {
        field
        for segment in segments
        for number, field in enumerate(segment.noted)
        if number in segment.noted.read and number > _SET_ID
    }
    return [issue for segment in segments if segment.name not in _OTHERWISE for issue in _of(segment, read)]


def _of(segment: _Noting, read: set[str]) -> list[Issue]:
    """What was read elsewhere in the same words (ORC-2 as OBR-2) is not lost."""
    fields = segment.noted
    if not fields.read:
        told = f"{segment.name} is not mapped to FHIR; it is in the stored message"
        return [Issue(segment.place, told, OTHER_ERROR, "information")]
    told = "This field is not mapped to FHIR; it is in the stored message"
    return [
        Issue(f"{segment.place}-{number}", told, OTHER_ERROR, "information")
        for number, field in enumerate(fields)
        if number > _SET_ID and number not in fields.read and field.strip() and field not in read
    ]
