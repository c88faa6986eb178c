"""`importers.hl7v2.notes`: NTE as Annotations."""

from __future__ import annotations

from importers.hl7v2.notes import lines, remarks
from resources.codec import Json
from tests.importers.hl7v2.making import conversion


def _remarks(*notes: str) -> list[Json]:
    made = conversion(*notes)
    return remarks(made, made.message.all("NTE"))


def test_lines_that_follow_each_other_are_one_remark() -> None:
    assert _remarks("NTE|1||  indented", "NTE|2||", "NTE|3||last") == [{"text": "  indented\n\nlast"}]


def test_repetitions_and_breaks_are_lines() -> None:
    made = conversion("NTE|1||a~b\\.br\\c")
    assert lines(made.message.segments[1]) == "a\nb\nc"


def test_another_author_or_time_is_another_remark() -> None:
    found = _remarks("NTE|1||a||^Sato^Keiko|20240301", "NTE|2||b")
    assert found == [{"authorString": "Keiko Sato", "time": "2024-03-01", "text": "a"}, {"text": "b"}]


def test_a_known_author_is_a_reference() -> None:
    [found] = _remarks("NTE|1||a||55^Sato^Keiko")
    assert found["authorReference"]["display"] == "Keiko Sato"


def test_nothing_said_is_nothing() -> None:
    assert _remarks("NTE|1||", 'NTE|2||""') == []
