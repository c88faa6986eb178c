"""`importers.hl7v2.siu`: when an appointment is, in which state, and who takes part."""

from __future__ import annotations

from typing import Any

import pytest

from importers.hl7v2 import er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.convert import convert
from tests.importers.hl7v2.making import faults

PID = "PID|1||1^^^A^MR||B^C"
TIMED = "SCH|A1^S||||||||30|min|^^30^20240301080000^20240301083000"


def _appointment(event: str, *lines: str) -> dict[str, Any]:
    text = "\r".join((f"MSH|^~\\&|S|H|X|Y|20240301||SIU^{event}|1|P|2.5", *lines)) + "\r"
    drafts = convert(er7.parse(text), FeedConfig(), "k").drafts
    [draft] = [draft for draft in drafts if draft.resource["resourceType"] == "Appointment"]
    assert draft.adjust is not None
    found = draft.adjust({}, draft.resource, draft.resource, True)
    assert faults(found) == []
    return found


@pytest.mark.parametrize(
    ("event", "code", "status"),
    [
        ("S12", "", "booked"),
        ("S12", "Pending", "pending"),
        ("S14", "BOOKED", "booked"),
        ("S14", "Complete", "fulfilled"),
        ("S15", "Booked", "cancelled"),
        ("S16", "", "cancelled"),
        ("S17", "", "entered-in-error"),
        ("S26", "Booked", "noshow"),
        ("S12", "Sometime", "booked"),
    ],
)
def test_status(event: str, code: str, status: str) -> None:
    found = _appointment(event, TIMED + "|" * 14 + code, PID)
    assert found["status"] == status
    assert ("_status" in found) == (code == "Sometime")


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        ([TIMED], "2024-03-01T08:00:00+00:00", "2024-03-01T08:30:00+00:00"),
        (
            ["SCH|A1||||||||20|MIN|^^^20240301080000"],
            "2024-03-01T08:00:00+00:00",
            "2024-03-01T08:20:00+00:00",
        ),
        (["SCH|A1||||||||2|h|^^^20240301080000"], "2024-03-01T08:00:00+00:00", "2024-03-01T10:00:00+00:00"),
        (
            [TIMED, "TQ1|1||||||20240302080000|20240302090000"],
            "2024-03-02T08:00:00+00:00",
            "2024-03-02T09:00:00+00:00",
        ),
        (
            ["SCH|A1", "AIS|1||X|20240301080000|||50|min"],
            "2024-03-01T08:00:00+00:00",
            "2024-03-01T08:50:00+00:00",
        ),
        (
            ["SCH|A1", "AIL|1||R^1|||20240301080000|||50|min"],
            "2024-03-01T08:00:00+00:00",
            "2024-03-01T08:50:00+00:00",
        ),
        (["SCH|A1", "AIP|1||5^D|||20240301080000"], "2024-03-01T08:00:00+00:00", "2024-03-01T08:00:00+00:00"),
        (
            ["SCH|A1||||||||||^^^20240301080000^20240229080000"],
            "2024-03-01T08:00:00+00:00",
            "2024-03-01T08:00:00+00:00",
        ),
    ],
)
def test_time(lines: list[str], start: str, end: str) -> None:
    found = _appointment("S12", lines[0], PID, *lines[1:])
    assert (found["start"], found["end"]) == (start, end)


@pytest.mark.parametrize(
    ("event", "status"), [("S12", "proposed"), ("S26", "cancelled"), ("S17", "cancelled")]
)
def test_without_any_time(event: str, status: str) -> None:
    assert _appointment(event, "SCH|A1", PID)["status"] == status


def test_numbers_without_authority_are_those_of_their_side() -> None:
    first, second = _appointment("S12", TIMED.replace("A1^S|", "A1|A1"), PID)["identifier"]
    assert (first["system"], second["system"]) == (
        "urn:hl7v2:appointment:H:placer",
        "urn:hl7v2:appointment:H:filler",
    )


def test_participants_have_one_entry_with_all_their_roles() -> None:
    found = _appointment(
        "S12",
        TIMED + "|5^D||||5^D",
        PID,
        "AIP|1||5^D|SURG^Surgeon^L",
        "AIL|1||R^1",
        "AIG|1||SPIRO^Spirometer",
    )
    types = [
        [kind.get("text") or kind["coding"][0]["code"] for kind in each.get("type", [])]
        for each in found["participant"]
    ]
    assert types == [[], ["placer contact", "filler contact", "SURG"], [], []]


def test_without_a_patient() -> None:
    assert len(_appointment("S12", TIMED, "AIP|1||5^D")["participant"]) == 1
    assert _appointment("S12", TIMED)["participant"] == [
        {"type": [{"text": "not named"}], "status": "accepted"}
    ]


def test_a_reason_for_calling_off_goes_when_it_takes_place() -> None:
    found = _appointment("S15", TIMED.replace("||||||||30", "|||||ILL^Ill^L|||30"), PID)
    assert found["cancelationReason"]["coding"][0]["code"] == "ILL"
    assert "cancelationReason" not in _appointment(
        "S12", TIMED.replace("||||||||30", "|||||ILL^Ill^L|||30"), PID
    )
