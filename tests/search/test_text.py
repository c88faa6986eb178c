"""http://hl7.org/fhir/R4/search.html#content"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fhir_server.search.text import words
from resources.outcome import FHIRError
from tests.search.conftest import Shelf


def narrative(content: str) -> dict[str, str]:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{content}</div>'}


@pytest.fixture(scope="module")
def conditions(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Condition"]
    shelf.put(
        {"id": "a", "text": narrative("<p>Lung <b>cancer</b>, stage&nbsp;II</p>")},
        {"id": "b", "text": narrative("Bone cáncer; the title is not a <i class='lung'>class</i>")},
        {"id": "c", "text": narrative("")},
        {"id": "d", "code": {"text": "cancer"}},
    )
    return shelf


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("cancer", "ab"),
        ("CANCER lung", "a"),
        ("lung\\, cancer", "a"),
        ("lung,bone", "ab"),
        ("can", ""),
        ("div", ""),
        ("class", "b"),
        ("ii", "a"),
    ],
)
def test_words_of_the_narrative(conditions: Shelf, value: str, expected: str) -> None:
    assert "".join(conditions.find(("_text", value))) == expected


def test_a_narrative_without_words_is_missing(conditions: Shelf) -> None:
    assert conditions.find(("_text:missing", "true")) == ["c", "d"]


@pytest.mark.parametrize("name", ["_text", "_text:exact"])
def test_what_says_nothing_is_refused(conditions: Shelf, name: str) -> None:
    with pytest.raises(FHIRError, match=f"'{name}'") as refused:
        conditions.find((name, "..."))
    assert refused.value.status == 400


def test_words_are_found_in_the_index(conditions: Shelf) -> None:
    assert "COLLSCAN" not in conditions.stages(("_text", "cancer lung"))


def test_words_are_bounded() -> None:
    assert len(words({"text": {"div": " ".join(map(str, range(10_000)))}})) == 2000
    assert words({"text": {"div": "x" * 65 + " y"}}) == ["y"]
    assert words({"text": {"div": 1}}) == words({"text": "x"}) == words({}) == []
