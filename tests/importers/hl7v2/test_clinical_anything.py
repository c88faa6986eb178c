"""Whatever stands in the segments of orders, results and the like: what becomes of it is valid, or it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.hl7v2 import er7
from importers.hl7v2.clinical_messages import EVENTS
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import ConversionError
from importers.hl7v2.convert import convert
from tests.importers.hl7v2.facts import assert_valid, bundle

_LENGTHS = {
    "ORC": 34, "OBR": 50, "OBX": 33, "NTE": 9, "SPM": 33, "TQ1": 14, "RXO": 36, "RXE": 44, "RXR": 6, "RXC": 9,
    "RXD": 35, "RXA": 28, "RXG": 30, "SCH": 27, "AIS": 12, "AIG": 14, "AIL": 12, "AIP": 12, "RGS": 3, "TXA": 25,
    "FT1": 43, "PRB": 26, "GOL": 21, "RF1": 11, "PRD": 9, "DG1": 26, "PR1": 20, "IN1": 49, "PV1": 52, "IPC": 9,
    "PID": 39, "GT1": 55, "ZZZ": 3,
}  # fmt: skip
_TEXTS = (
    [
        "", "", "", "", '""', "1", "0", "-1", "2", "Y", "N", "F", "P", "C", "X", "D", "W", "I", "O", "U", "Z", "H", "A", "S",
        "NW", "CA", "SC", "RE", "DC", "NM", "SN", "ST", "TX", "FT", "CE", "CWE", "ED", "RP", "DT", "TM", "TS", "DR", "NR",
        "NA", "IS", "5.40", ".5", "5.", "<5", ">=1e5", "3.5-5.1", "10-1", "<1", "mmol/L", "%", "", "20240301",
        "20240301080000+0100", "2024", "19991332", "0000", "99991231", "BID", "Q6H", "Q0H", "Q99J8", "D3", "PRN", "QAM",
        "a b  c", " ", "\\T\\", "\\X0D0A\\", "\\.br\\", "x" * 300, "1.2.840", "urn:oid:1.2", "http://a.example/b|c",
        "é", "\u200b", "LN", "UCUM", "L", "Base64", "Hex", "AP", "PDF", "JVBERi0xLjQK", "JVBE", "=", "CP", "NIP001", "00",
        "999", "min", "8867-4", "64994-7", "29768-9", "30973-2", "USD", "9" * 40, "PC3", "RP", "DE",
    ]
)  # fmt: skip
_LIKELY: dict[str, Sequence[str]] = {
    "ORU": ("OBR", "OBX", "OBX", "NTE", "SPM", "ORC"),
    "OUL": ("SPM", "OBR", "OBX"),
    "VXU": ("ORC", "RXA", "RXR", "OBX"),
    "SIU": ("SCH", "AIS", "AIG", "AIL", "AIP", "TQ1"),
    "MDM": ("TXA", "OBX"),
    "DFT": ("FT1", "PR1"),
    "BAR": ("DG1", "IN1"),
    "PPR": ("PRB", "GOL", "ORC", "OBR"),
    "PGL": ("GOL", "PRB"),
    "REF": ("RF1", "PRD"),
    "OMP": ("ORC", "RXO", "RXR"),
    "RDE": ("ORC", "RXO", "RXE", "RXR", "RXC", "TQ1"),
    "RDS": ("ORC", "RXD", "RXR", "RXE"),
    "RAS": ("ORC", "RXA", "RXR"),
    "RGV": ("ORC", "RXG"),
}


def _any(random: Random, names: Sequence[str]) -> str:
    """A segment of any content."""
    name = random.choice(names)
    fields = [
        _field(random) if random.random() < 0.7 else "" for _ in range(random.randint(1, _LENGTHS[name]))
    ]
    return "|".join([name, *fields])


def _field(random: Random) -> str:
    return "~".join(_part(random, "^", 8) for _ in range(2 if random.random() < 0.1 else 1))


def _part(random: Random, separator: str, most: int) -> str:
    if random.random() < 0.5:
        return random.choice(_TEXTS)
    inner = _part(random, "&", 3) if separator == "^" else random.choice(_TEXTS)
    return separator.join([inner, *(random.choice(_TEXTS) for _ in range(random.randint(0, most)))])


@settings(deadline=None, max_examples=300)
@given(event=st.sampled_from(sorted(EVENTS)), seed=st.integers(0, 2**32))
def test_any_content_is_valid_or_refused(event: str, seed: int) -> None:
    random = Random(seed)
    names = _LIKELY.get(event.partition("^")[0], ("ORC", "OBR", "OBX"))
    segments = [
        _any(random, names if random.random() < 0.8 else list(_LENGTHS)) for _ in range(random.randint(1, 9))
    ]
    _assert_valid_or_refused(event, ["PID|1||1^^^A^MR||B^C", _any(random, names[:1]), *segments])


@pytest.mark.parametrize(
    ("event", "segments"),
    [
        ("ORU^R01", ["OBR|1|P1||||||||||||||Dr", "OBX|1|NM|A||x|||||F"]),
        ("ORM^O01", ["ORC|NW|P1", "OBR|1|P1||A"]),
        ("ORU^R01", ["PID|1||1", "OBR|1|P1|F1|A|||20240302|20240301", "OBX|1|ED|A||^AP^PDF^Base64^||||||F"]),
        ("VXU^V04", ["PID|1||1", *["ORC|RE||1", "RXA|0|1|2024||1^A^CVX", "OBX|1|ST|X||a"] * 2]),
        ("OMP^O09", ["PID|1||1", *["ORC|NW|1", "RXO|A|5|3|mg"] * 2]),
        ("ORU^R01", ["PID|1||1", "OBR|1|P1|F1|A", "OBX|1|TX|A||JVBERi0^x||||||F"]),
        ("SIU^S26", ["PID|1||1", "SCH|1"]),
        ("SIU^S17", ["PID|1||1", "SCH|1|||||WHY"]),
        ("PPR^PC3", ["PID|1||1", "PRB|AD|2024|A|||||2024|2025"]),
    ],
)
def test_oddities_are_valid_or_refused(event: str, segments: list[str]) -> None:
    _assert_valid_or_refused(event, segments)


def _assert_valid_or_refused(event: str, segments: list[str]) -> None:
    text = "\r".join([f"MSH|^~\\&|A|B|C|D|20240301080000||{event}|1|P|2.5.1", *segments]) + "\r"
    try:
        conversion = convert(er7.parse(text), FeedConfig(), "row")
    except ConversionError:
        return
    assert_valid({"entry": [], **bundle(conversion)})


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_message_is_read_without_more_than_a_patient(event: str) -> None:
    text = f"MSH|^~\\&|A|B|C|D|20240301||{event}|1|P|2.5.1\rPID|1||1^^^A^MR||B^C\r"
    if event.partition("^")[0] in _NEEDED:
        with pytest.raises(ConversionError, match="segment was expected"):
            convert(er7.parse(text), FeedConfig())
        return
    conversion = convert(er7.parse(text), FeedConfig())
    assert [draft.resource["resourceType"] for draft in conversion.drafts] == ["Patient"]


_NEEDED = {"SIU", "MDM", "REF"}
"""Types of messages that say nothing without their SCH, TXA, or RF1 or OBR"""


_MANY = 4000


@pytest.mark.parametrize(
    ("event", "segments"),
    [
        ("ORU^R01", ["OBR|1|P1|F1|A", *["OBX|1|NM|A||5|||||F"] * _MANY]),
        ("ORU^R01", ["OBR|1|P1|F1|A", "OBX|1|TX|A||a|||||F"] * _MANY),
        ("ORU^R01", ["OBR|1|P1|F1|A", *["OBX|1|TX|A||a"] * _MANY]),
        (
            "ORU^R01",
            [
                "OBR|1|P1|F1|A",
                "OBX|1|CWE|A||" + "~".join(["A^B^L"] * _MANY) + "|||" + "~".join(["H"] * _MANY),
            ],
        ),
        ("ORU^R01", ["OBR|1|P1|F1|A", *["SPM|1|S1"] * _MANY]),
        ("ORU^R01", ["OBR|1|P1|F1|A", *["NTE|1||a"] * _MANY]),
        ("ORM^O01", ["ORC|NW|P1", *["OBR|1|P1||A"] * _MANY]),
        ("VXU^V04", ["ORC|RE||1", "RXA|0|1|2024||1^A^CVX", "OBX|1|ST|X||a"] * _MANY),
        ("RDE^O11", ["ORC|NW|1", "RXE||A", *["RXC|A|B|1|mg", "RXR|PO"] * _MANY]),
        ("RDE^O11", ["ORC|NW|1", "RXE||A"] * _MANY),
        ("SIU^S12", ["SCH|1", *["AIP|1||5^D"] * _MANY]),
        ("MDM^T02", ["TXA|1|DS|||||||||||1", *["OBX|1|TX|A||a"] * _MANY]),
    ],
)
def test_many_of_all_take_time_in_proportion(event: str, segments: list[str]) -> None:
    text = "\r".join([f"MSH|^~\\&|A|B|C|D|20240301080000||{event}|1|P|2.5.1", "PID|1||1^^^A^MR", *segments])
    message = er7.parse(text)
    start = process_time()
    convert(message, FeedConfig(), "row")
    assert process_time() - start < 10
