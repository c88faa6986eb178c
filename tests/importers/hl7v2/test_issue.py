from __future__ import annotations

import pytest

from importers.hl7v2.issue import Issue


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ("", ()),
        ("PID", ("PID", "1")),
        ("OBX[3]", ("OBX", "3")),
        ("PID-3", ("PID", "1", "3", "1")),
        ("PID-3[2]", ("PID", "1", "3", "2")),
        ("OBX[12]-5.1", ("OBX", "12", "5", "1", "1")),
        ("PID-3[2].4.2", ("PID", "1", "3", "2", "4", "2")),
        ("no place", ()),
    ],
)
def test_the_location_of_a_place(place: str, location: tuple[str, ...]) -> None:
    assert Issue(place, "wrong").location == location
