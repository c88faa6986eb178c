from __future__ import annotations

from resources.trail import Trail, path_of


def test_a_trail_is_told_from_its_start() -> None:
    contact: Trail = ((None, "Patient", None), "contact", 0)
    assert path_of((contact, "name", None)) == "Patient.contact[0].name"
    assert path_of(None) == ""
