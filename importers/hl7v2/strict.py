"""hl7apy's strict validation as a report: what is against the standard in a message that is mapped all the same.

It is slow (a millisecond for each segment) and made for a feed that asks for it. Its own reading of the message loses
segments and fails on many messages, which is why it is a report and nothing else: docs/adr/0019-own-er7-reader.md.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Segment as Hl7apySegment
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message
from hl7apy.validation import Validator

from importers.hl7v2.er7 import Message
from importers.hl7v2.issue import (
    CARDINALITY,
    DATA_TYPE_ERROR,
    OTHER_ERROR,
    REQUIRED_FIELD_MISSING,
    SEQUENCE_ERROR,
    TABLE_VALUE_NOT_FOUND,
    VALUE_TOO_LONG,
    Issue,
)
from importers.hl7v2.message import ABSENT

MOST = 50
"""Issues of one message"""

_ELEMENT = re.compile(r"\b([A-Z][A-Z0-9]{2})_(\d+)\b")
_SEGMENT = re.compile(r"\.([A-Z][A-Z0-9]{2})$")
_VALUE = re.compile(r"^Value .* not in table", re.DOTALL)
_REPORTED = re.compile(r"^(?:Error|Warning): ", re.MULTILINE)
_KINDS = (
    ("Missing required child", REQUIRED_FIELD_MISSING),
    ("Child limit exceeded", CARDINALITY),
    ("Invalid children", SEQUENCE_ERROR),
    ("Unknown element", SEQUENCE_ERROR),
    ("Invalid element", SEQUENCE_ERROR),
    ("Datatype", DATA_TYPE_ERROR),
    ("A value is not in table", TABLE_VALUE_NOT_FOUND),
    ("Exceeded max length", VALUE_TOO_LONG),
)


def report(message: Message) -> list[Issue]:
    """What hl7apy finds wrong, as information without values; what it cannot check is an issue, too."""
    try:
        text = _plain(message)
        read = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)
        found = _misplaced(message, read) + [_issue(told) for told in _validated(read)]
    except Exception as fault:  # whatever the library does with a message that somebody else wrote
        text = f"The message cannot be validated strictly: hl7apy fails on it ({type(fault).__name__})"
        return [Issue("", text, OTHER_ERROR, "information")]
    if len(found) > MOST:
        told = f"{len(found) - MOST} more are against the standard"
        return [*found[:MOST], Issue("", told, OTHER_ERROR, "information")]
    return found


def _plain(message: Message) -> str:
    """The message with what hl7apy stumbles over in MSH-2 put right: a character too many before 2.7, one doubled."""
    delimiters = message.delimiters
    declared = delimiters.component + delimiters.repetition + delimiters.escape + delimiters.subcomponent
    if message.version >= "2.7":
        declared += delimiters.truncation
    header = delimiters.field.join(("MSH", declared.replace(ABSENT, ""), *message.header.fields[3:]))
    lines = [header, *(segment.line for segment in message.segments[1:])]
    return "\r".join(line.replace("\n", " ") for line in lines) + "\r"


def _misplaced(message: Message, read: Any) -> list[Issue]:
    """The segments that hl7apy leaves out, since the structure of the message has no place for them."""
    ours = Counter(segment.name for segment in message.segments)
    lost = ours - Counter(_names(read))
    told = "The structure of the message has no place for this segment where it stands"
    return [Issue(name, told, SEQUENCE_ERROR, "information") for name in lost]


def _names(element: Any) -> list[str]:
    if isinstance(element, Hl7apySegment):
        return [str(element.name).upper()]
    return [name for child in element.children for name in _names(child)]


def _validated(read: Any) -> list[str]:
    """The lines of hl7apy's report, which it writes into a file only."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report"
        with contextlib.suppress(HL7apyException):  # the first of what is in the report
            Validator.validate(read, reference=read.reference, report_file=str(file))
        return [told.strip() for told in _REPORTED.split(file.read_text()) if told.strip()]


def _issue(told: str) -> Issue:
    """A line of the report with the place it names in HL7's own notation, and without the value it quotes."""
    text = " ".join(_VALUE.sub("A value is not in table", told).split())
    code = next((code for beginning, code in _KINDS if text.startswith(beginning)), OTHER_ERROR)
    element, segment = _ELEMENT.search(text), _SEGMENT.search(text)
    place = f"{element[1]}-{element[2]}" if element else segment[1] if segment else ""
    return Issue(place, text[:200], code, "information")
