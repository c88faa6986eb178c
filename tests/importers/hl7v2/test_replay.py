from __future__ import annotations

from importers.hl7v2.replay import Change, differing


def test_elements_that_differ_are_told_with_their_path() -> None:
    before = {"id": "1", "name": [{"family": "A", "given": ["x"]}], "gender": "male"}
    after = {"id": "1", "name": [{"family": "B", "given": ["x", "y"]}], "birthDate": "1970"}
    assert list(differing(before, after)) == [
        Change("name[0].family", "A", "B"),
        Change("name[0].given[1]", None, "y"),
        Change("gender", "male", None),
        Change("birthDate", None, "1970"),
    ]


def test_what_is_new_as_a_whole_is_one_change() -> None:
    assert list(differing({}, {"code": {"text": "x"}})) == [Change("code", None, {"text": "x"})]
    assert list(differing({"a": [1]}, {"a": [1]})) == []
