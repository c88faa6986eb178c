"""Any sequence of events leaves one valid visit, and said twice nothing more is changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.hl7v2 import er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.convert import convert
from importers.hl7v2.identifiers import token
from importers.hl7v2.matching import reference_of
from importers.hl7v2.reconcile import reconcile, rewritten
from resources import validation

Json = dict[str, Any]

_VISITS = [
    "A01",
    "A02",
    "A03",
    "A04",
    "A05",
    "A06",
    "A07",
    "A08",
    "A09",
    "A10",
    "A11",
    "A12",
    "A13",
    "A14",
    "A15",
    "A16",
    "A21",
    "A22",
    "A25",
    "A26",
    "A27",
    "A38",
    "A52",
    "A53",
    "A54",
]


class Record:
    """What is stored of one patient and his visit, found by identifier."""

    def __init__(self) -> None:
        self.resources: dict[str, Json] = {}
        self.rows: dict[str, str] = {}

    def tell(self, text: str) -> int:
        """Takes a message in; how many resources it wrote."""
        row = self.rows.setdefault(text, f"row {len(self.rows)}")
        steps = reconcile(convert(er7.parse(text), FeedConfig(), row))
        try:
            queries = next(steps)
            while True:
                queries = steps.send([self._find(*query) for query in queries])
        except StopIteration as end:
            entries: list[Json] = end.value.bundle.get("entry", [])
        names = {
            entry["fullUrl"]: f"Patient/p{len(self.resources)}"
            for entry in entries
            if "?" in entry["request"]["url"]
        }
        for entry in entries:
            self._write(entry, names)
        return len(entries)

    def _find(self, kind: str, query: str) -> list[Json]:
        wanted = set(query.removeprefix("identifier=").split(","))
        return [
            each
            for each in self.resources.values()
            if each["resourceType"] == kind
            and any(token(one).removeprefix("identifier=") in wanted for one in each.get("identifier", ()))
        ]

    def _write(self, entry: Json, names: dict[str, str]) -> None:
        resource = rewritten(entry["resource"], names)
        if entry.get("fullUrl") in names:
            resource["id"] = names[entry["fullUrl"]].partition("/")[2]
        before = self.resources.get(reference_of(resource))
        version = int(before["meta"]["versionId"]) + 1 if before else 1
        assert before is None or entry["request"]["ifMatch"] == f'W/"{version - 1}"'
        resource["meta"] = {
            **resource.get("meta", {}),
            "versionId": str(version),
            "lastUpdated": "2024-01-01T00:00:00Z",
        }
        assert [issue for issue in validation.validate(resource) if issue.severity == "error"] == []
        self.resources[reference_of(resource)] = resource

    @property
    def visit(self) -> Json:
        [visit] = [each for each in self.resources.values() if each["resourceType"] == "Encounter"]
        return visit


def message(event: str, minute: int, place: str = "W1", ended: str = "", kind: str = "I") -> str:
    fields = {
        2: kind,
        3: place,
        19: "V1",
        42: "W9" if event == "A15" else "",
        44: "20240301080000",
        45: ended,
    }
    pv1 = "|".join(fields.get(each, "") for each in range(1, 46))
    when = f"202403010{8 + minute // 60}{minute % 60:02d}00"
    return f"MSH|^~\\&|A|B|C|D|{when}||ADT^{event}|1|P|2.5.1\rEVN|{event}|{when}\rPID|1||1\rPV1|{pv1}\r"


_EVENTS = st.tuples(
    st.sampled_from(_VISITS),
    st.integers(min_value=0, max_value=100),
    st.sampled_from(["W1", "W2", "W3"]),
    st.sampled_from(["", "", "20240303100000", "20240101"]),
    st.sampled_from(["I", "O", "E", "P", "", "X"]),
)


@settings(max_examples=100, deadline=None)
@given(events=st.lists(_EVENTS, min_size=1, max_size=8))
def test_any_sequence_leaves_one_valid_visit(events: list[tuple[str, int, str, str, str]]) -> None:
    record = Record()
    for event in events:
        record.tell(message(*event))
        assert record.tell(message(*event)) == 0
        assert sum(each.get("status") == "active" for each in record.visit.get("location", ())) <= 1
    at = [event[1] for event in events]
    assert at.count(max(at)) > 1 or record.tell(message(*events[at.index(max(at))])) >= 0


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ("A05", "planned"),
        ("A05 A01", "in-progress"),
        ("A01 A05", "in-progress"),
        ("A14 A27", "cancelled"),
        ("A01 A21", "onleave"),
        ("A01 A21 A22", "in-progress"),
        ("A01 A21 A52", "in-progress"),
        ("A01 A03", "finished"),
        ("A01 A03 A02", "finished"),
        ("A01 A03 A08", "finished"),
        ("A01 A03 A13", "in-progress"),
        ("A01 A03 A01", "in-progress"),
        ("A01 A11", "cancelled"),
        ("A01 A11 A08", "cancelled"),
        ("A01 A11 A01", "in-progress"),
        ("A05 A38", "cancelled"),
        ("A01 A23", "entered-in-error"),
        ("A08", "in-progress"),
    ],
)
def test_the_status_after_events(events: str, status: str) -> None:
    record = Record()
    for minute, event in enumerate(events.split()):
        record.tell(message(event, minute))
    assert record.visit["status"] == status


def test_a_pending_transfer_is_announced_and_happens() -> None:
    record = Record()
    record.tell(message("A01", 0))
    record.tell(message("A15", 1))
    assert [(each["location"]["display"], each["status"]) for each in record.visit["location"]] == [
        ("W1", "active"),
        ("W9", "reserved"),
    ]
    record.tell(message("A02", 2, "W9"))
    assert [(each["location"]["display"], each["status"]) for each in record.visit["location"]] == [
        ("W1", "completed"),
        ("W9", "active"),
    ]
    period = record.visit["location"][1]["period"]
    assert period == {"start": "2024-03-01T08:02:00+00:00"}


def test_who_comes_back_to_a_place_was_there_twice() -> None:
    record = Record()
    for minute, place in enumerate(["W1", "W2", "W1"]):
        record.tell(message("A02" if minute else "A01", minute, place))
    assert [each["location"]["display"] for each in record.visit["location"]] == ["W1", "W2", "W1"]
