"""`importers.hl7v2.unread`: nothing that was sent disappears without a word."""

from __future__ import annotations

import pytest

from importers.hl7v2 import er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import ConversionError
from importers.hl7v2.unread import unread

HEADER = "MSH|^~\\&|LAB|H|X|Y|20240301||ORU^R01|1|P|2.5.1"
LINES = ("PID|1||1^^^A^MR||B^C", "OBR|1|P1|F1|GLU|||||||||||||||||||||F", "OBX|1|NM|GLU||5|mmol/L|||||F")


def _unread(*lines: str) -> list[tuple[str, str]]:
    message = er7.parse("\r".join((HEADER, *lines)) + "\r")
    return [(issue.place, issue.severity) for issue in unread(message, FeedConfig())]


def test_what_is_mapped_is_not_told() -> None:
    assert _unread(*LINES) == []


def test_fields_and_segments_that_no_mapping_reads_are_told() -> None:
    found = _unread(LINES[0], LINES[1] + "||||||||||||||||||||||||REVIEW", LINES[2], "ZDS|1.2.3", "CTI|STUDY")
    assert found == [("OBR-49", "information"), ("ZDS", "information"), ("CTI", "information")]


def test_what_is_said_twice_is_read_once() -> None:
    assert _unread(LINES[0], "ORC|RE|P1|F1", *LINES[1:]) == []


def test_what_cannot_be_converted_is_refused() -> None:
    with pytest.raises(ConversionError):
        unread(er7.parse("MSH|^~\\&|LAB|H|X|Y|20240301||QBP^Q22|1|P|2.5.1\r"), FeedConfig())
