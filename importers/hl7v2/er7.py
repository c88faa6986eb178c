"""Messages in ER7, the encoding with bars and carets, as senders really write it. HL7 v2.8.2 chapter 2.5 and 2.6."""

from __future__ import annotations

import re

from importers.hl7v2.issue import DATA_TYPE_ERROR, OTHER_ERROR, SEQUENCE_ERROR, Issue
from importers.hl7v2.message import ABSENT, HEADERS, NULL, Delimiters, Message, Segment, Value
from importers.hl7v2.tables.segments import SEGMENTS

__all__ = ["NULL", "Delimiters", "Message", "NotHL7", "Segment", "Value", "parse", "read_delimiters"]

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_NEARLY_A_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,3}")
_OTHER_SEPARATORS = "|^~&\\#$%!*@"
"""What some other sender, or this one in MSH only, separates fields with"""
_LEADING = "\ufeff\x0b \t\r\n\x00"
_AROUND = "\ufeff \t\r\n\x00"
_TRAILING = "\x1c\x1a\x00\r\n"


class NotHL7(Exception):
    """What arrived is not a message: `issue` says why."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.text)
        self.issue = issue


def parse(text: str, encoding: str = "utf-8") -> Message:
    """The message in a text that has been decoded from `encoding`; raises NotHL7.

    What is tolerated is told in `Message.issues`. Linear in the length of the text.
    """
    if text.lstrip(_AROUND)[:1] == "\x0b":  # still in its frame: what follows that is no part of it
        text = text.lstrip(_AROUND)[1:].partition("\x1c")[0]
    text = text.lstrip(_LEADING).rstrip(_TRAILING)
    issues: list[Issue] = []
    if _CONTROLS.search(text) is not None:
        text = _CONTROLS.sub("", text)
        issues.append(Issue("", "Control characters were removed: text of FHIR has none", DATA_TYPE_ERROR))
    delimiters = read_delimiters(text, encoding)
    lines = _lines(text)
    return Message(_segments(lines, delimiters, issues), issues)


def read_delimiters(text: str, encoding: str = "utf-8") -> Delimiters:
    """What MSH-1 and MSH-2 declare; raises NotHL7 where there is no MSH, or its delimiters cannot be such."""
    if text[:3].upper() != "MSH":
        told = "Batches are taken apart before" if text[:3] in HEADERS else "A message begins with MSH"
        raise NotHL7(Issue("", told, SEQUENCE_ERROR, "error"))
    field, declared = text[3:4], re.split(r"[\r\n]", text[4:64], maxsplit=1)[0]
    declared = declared.partition(field)[0].strip() if field else ""
    characters = _without_doubled_escape(declared)
    every = field + characters
    if not 2 <= len(characters) <= 5 or len(set(every)) != len(every) or not _can_delimit(every):
        told = "MSH-1 and MSH-2 must be 3 to 6 different punctuation characters, such as |^~\\&"
        raise NotHL7(Issue("MSH-2", told, DATA_TYPE_ERROR, "error"))
    component, repetition, escape, subcomponent, truncation = list(characters.ljust(5, ABSENT))
    meant = {"F": field, "S": component, "R": repetition, "E": escape, "T": subcomponent, "P": truncation}
    known = {letter: character for letter, character in meant.items() if character != ABSENT}
    known.setdefault("P", "#")
    return Delimiters(field, component, repetition, escape, subcomponent, truncation, encoding, known)


def _without_doubled_escape(declared: str) -> str:
    r"""`^~\\&` is `^~\&` of a sender who escaped it once too often."""
    if len(declared) > 3 and declared[2] == declared[3]:
        return declared[:3] + declared[4:]
    return declared


def _can_delimit(characters: str) -> bool:
    return not any(each.isalnum() or each.isspace() or each in '"\x00' for each in characters)


def _lines(text: str) -> list[str]:
    if "\n" not in text:
        return text.split("\r")
    return text.replace("\r\n", "\r").replace("\n", "\r").split("\r")


def _segments(lines: list[str], delimiters: Delimiters, issues: list[Issue]) -> list[Segment]:
    found: list[Segment] = []
    count: dict[str, int] = {}
    separator = delimiters.field
    continued: list[str] = []
    for line in lines:
        name = line[:3]
        if name not in SEGMENTS or line[3:4] not in (separator, ""):
            if not line.strip():
                continue
            name, told = _odd(line, separator)
            if not name:
                continued.append(line)
                continue
            if told and name not in count:
                issues.append(Issue(name, told, OTHER_ERROR))
        if continued:
            _continue(found[-1], continued, issues)
            continued = []
        sequence = count[name] = count.get(name, 0) + 1
        found.append(Segment(name, line, delimiters, len(found), sequence))
    if continued:
        _continue(found[-1], continued, issues)
    return found


def _odd(line: str, separator: str) -> tuple[str, str]:
    """The name of a segment that is written oddly or unknown, and what is to be told; empty for what is no segment."""
    written = line.partition(separator)[0].strip()
    name = written.upper()
    if name in SEGMENTS:
        return name, f"The segment is written '{written}'; it was read as {name}"
    if _SEGMENT_NAME.fullmatch(written):
        told = (
            "" if written[0] == "Z" else f"Segment {written} is in no version of HL7; it was kept, not mapped"
        )
        return written, told
    if separator in line and _NEARLY_A_NAME.fullmatch(written):
        return name, f"'{written}' is not the name of a segment; it was kept, not mapped"
    if line[:3] in SEGMENTS and line[3] in _OTHER_SEPARATORS:
        return line[:3], f"{line[:3]} does not use the field separator of MSH-1; nothing of it could be read"
    return "", ""


def _continue(segment: Segment, lines: list[str], issues: list[Issue]) -> None:
    """Appends what is no segment to the field that a raw line break has cut."""
    segment.line = "\n".join((segment.line, *lines))
    told = "A line break inside of the segment was taken as text; senders write it as \\.br\\ or \\X0D\\"
    issues.append(Issue(segment.place, told, SEQUENCE_ERROR))
