"""`importers.hl7v2.order_group`: what belongs together, also where senders are loose."""

from __future__ import annotations

import pytest

from importers.hl7v2.order_group import Orders, by_patient, orders
from tests.importers.hl7v2.making import conversion


def _orders(kind: str, *names: str) -> Orders:
    lines = (f"{name}|{number}" for number, name in enumerate(names, 1))
    return orders(conversion(*lines, header=f"MSH|^~\\&|A|B|C|D|20240301||{kind}|1|P|2.5.1").message)


def _shape(found: Orders) -> list[str]:
    """A line for each group: ORC, OBR, how many results, specimens, notes."""
    return [
        f"{'orc' if group.orc else '-'}{'*' if group.shared else ''} {'obr' if group.obr else '-'} "
        f"{len(group.results)} {len(group.specimens)} {len(group.notes)}"
        for group in found.groups
    ]


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        ("ORU^R01", "ORC OBR OBX OBX SPM ORC OBR OBX", ["orc obr 2 1 0", "orc obr 1 0 0"]),
        ("ORU^R01", "OBR OBX OBR OBX", ["- obr 1 0 0", "- obr 1 0 0"]),
        ("ORM^O01", "ORC OBR OBR NTE", ["orc obr 0 0 0", "orc* obr 0 0 1"]),
        ("ORM^O01", "ORC ORC OBR", ["orc - 0 0 0", "orc obr 0 0 0"]),
        ("ORU^R01", "OBR SPM OBX", ["- obr 1 1 0"]),
        ("ORU^R01", "OBR OBX SPM OBX", ["- obr 1 1 0"]),
        ("ORU^R01", "OBR NTE OBX NTE", ["- obr 1 0 1"]),
        ("OUL^R22", "SPM OBX OBR ORC OBX OBR OBX", ["orc obr 1 1 0", "- obr 1 1 0"]),
        ("OUL^R22", "SPM OBR OBX SPM OBR OBX", ["- obr 1 1 0", "- obr 1 1 0"]),
        ("OUL^R24", "OBR ORC OBX SPM OBX OBR ORC OBX", ["orc obr 1 1 0", "orc obr 1 0 0"]),
        ("OUL^R24", "OBR OBX OBR ORC OBX", ["- obr 1 0 0", "orc obr 1 0 0"]),
        ("OML^O33", "SPM ORC OBR ORC OBR", ["orc obr 0 1 0", "orc obr 0 1 0"]),
        ("ORU^R01", "PID NTE OBX", []),
        ("VXU^V04", "RXA RXR OBX RXA OBX OBX", ["- - 1 0 0", "- - 2 0 0"]),
        ("VXU^V04", "ORC RXA RXA", ["orc - 0 0 0", "- - 0 0 0"]),
        ("VXU^V04", "RXA ORC RXA", ["- - 0 0 0", "orc - 0 0 0"]),
        ("RAS^O17", "ORC RXA RXA", ["orc - 0 0 0"]),
        ("RAS^O17", "RXA RXR", ["- - 0 0 0"]),
        ("ORM^O01", "ORC RXO DG1 NTE OBX NTE", ["orc - 1 0 1"]),
        ("RDS^O13", "RXD NTE", ["- - 0 0 1"]),
    ],
)
def test_groups(kind: str, names: str, expected: list[str]) -> None:
    assert _shape(_orders(kind, *names.split())) == expected


def test_notes_are_about_what_stands_before_them() -> None:
    found = _orders("ORU^R01", "OBR", "OBX", "NTE", "NTE", "SPM", "NTE")
    assert [len(result.notes) for result in found.groups[0].results] == [2]
    assert [len(specimen.notes) for specimen in found.groups[0].specimens] == [1]


def test_observations_of_a_specimen_stand_after_those_of_the_order() -> None:
    found = _orders("ORU^R01", "OBR", "OBX", "SPM", "OBX", "OBX")
    assert [len(specimen.results) for specimen in found.groups[0].specimens] == [2]


def test_what_stands_before_any_order_is_about_none() -> None:
    assert len(_orders("ORU^R01", "PID", "OBX", "OBR", "OBX").results) == 1


def test_each_patient_has_a_part_of_the_message() -> None:
    made = conversion("PID|1||1", "OBR|1", "OBX|1", "PID|2||2", "OBR|2")
    parts = [[segment.name for segment in part.message.segments] for part in by_patient(made)]
    assert parts == [["MSH", "PID", "OBR", "OBX"], ["MSH", "PID", "OBR"]]
    assert all(part.drafts is made.drafts for part in by_patient(made))
