"""`importers.hl7v2.encounter`: whether a PV1 is about a visit."""

from __future__ import annotations

import pytest

from importers.hl7v2 import er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.convert import convert


@pytest.mark.parametrize(
    ("event", "pv1", "is_visit"),
    [
        ("A01", "|1|I", True),
        ("A04", "||N", False),
        ("A08", "||", False),
        ("A03", "|1|N|100^104^A|||||||||||||||||||||||||||||||||||||||||20240301|20240302", True),
        ("A28", "||N", False),
        ("A31", "||O", False),
        ("A31", "||O|^^^", False),
        ("A31", "|1|O|CLINIC^2", True),
        ("A28", "||I||||||||||||||||V1", True),
    ],
)
def test_what_says_more_than_a_class_is_a_visit(event: str, pv1: str, is_visit: bool) -> None:
    text = f"MSH|^~\\&|A|B|C|D|20240302||ADT^{event}|1|P|2.5\rPID|1||7^^^B^MR||Sato^Ken\rPV1{pv1}"
    conversion = convert(er7.parse(text), FeedConfig(), "row")
    found = [each for each in conversion.drafts if each.resource["resourceType"] == "Encounter"]
    assert len(found) == is_visit
