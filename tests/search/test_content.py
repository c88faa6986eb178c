"""http://hl7.org/fhir/R4/search.html#content"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fhir_server.search import content, joins
from fhir_server.search.ask import Access, everything
from fhir_server.search.clauses import parse
from fhir_server.search.query import filter_of
from resources.outcome import FHIRError
from tests.search.conftest import SITE, Shelf
from tests.search.driving import Driver

Shelves = Mapping[str, Shelf]

NOTES: list[dict[str, Any]] = [
    {"id": "a", "code": {"text": "Chest pain"}, "note": [{"text": "Radiating to the left arm; sent home"}]},
    {
        "id": "b",
        "code": {"coding": [{"display": "Arm fracture", "code": "x1"}]},
        "severity": {"text": "grave"},
    },
    {
        "id": "c",
        "text": {"status": "generated", "div": "<div>Café <b>au</b>&#160;lait on left arm<br/></div>"},
    },
    {"id": "d", "recordedDate": "2024-05-06", "note": [{"text": "armchair"}], "subject": {"display": "Ann"}},
    {"id": "e", "_recordedDate": {"extension": [{"url": "http://x.org/why", "valueString": "arm lost"}]}},
]


@pytest.fixture(scope="module", autouse=True)
def resources(shelves: Shelves) -> None:
    shelves["Condition"].put(*NOTES)
    shelves["DocumentReference"].put(
        {"id": "d", "content": [{"attachment": {"title": "Letter", "data": "YXJt arm"}}]}
    )


def find(shelves: Shelves, *query: tuple[str, str], access: Access = everything) -> list[str]:
    search = parse("Condition", query)
    driver = Driver(shelves)
    joined = driver.planned(joins.conditions(search, SITE, access))
    filter_ = filter_of(search, SITE, extra=access("Condition"), joined=joined)
    return sorted(each["_id"] for each in shelves["Condition"].collection.find(filter_, {"_id": 1}))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("arm", "abce"),
        ("ARM left", "ac"),
        ("left, arm", "abce"),
        ("cafe", "c"),
        ("lait on", "c"),
        ("au", "c"),
        ("chest,grave", "ab"),
        ("2024", "d"),
        ("Ann", "d"),
        ("lost", "e"),
        ("x1", "b"),
        ("generated", "c"),
        ("note", ""),
        ("armchairs", ""),
        ("a.*m", ""),
    ],
)
def test_words_anywhere_in_a_resource_are_found(shelves: Shelves, value: str, expected: str) -> None:
    assert "".join(find(shelves, ("_content", value))) == expected


def test_everything_else_narrows_what_is_read(shelves: Shelves) -> None:
    assert find(shelves, ("_content", "arm"), ("severity:text", "grave")) == ["b"]
    assert find(shelves, ("_content", "arm"), ("_content", "left")) == ["a", "c"]
    assert find(shelves, ("_content", "arm"), ("_filter", "severity pr false")) == ["a", "c", "e"]
    assert find(shelves, ("_content", "arm"), access=lambda _: [{"_id": {"$ne": "b"}}]) == ["a", "c", "e"]


def test_coded_bytes_are_no_text(shelves: Shelves) -> None:
    search = parse("DocumentReference", [("_content", "arm")])
    assert Driver(shelves).planned(joins.conditions(search, SITE, everything)) == [{"_id": {"$in": []}}]


def test_it_is_read_in_portions(shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "AT_ONCE", 1)
    search = parse("Condition", [("_content", "arm")])
    driver = Driver(shelves)
    (condition,) = driver.planned(joins.conditions(search, SITE, everything))
    assert condition == {"_id": {"$in": ["a", "b", "c", "e"]}}
    assert len(driver.levels) == 1 + len(NOTES)


@pytest.mark.parametrize(("bound", "value"), [("MOST", 4), ("MOST_BYTES", 300)])
def test_more_than_can_be_read_is_refused(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(content, bound, value)
    assert find(shelves, ("_content", "arm"), ("severity:text", "grave")) == ["b"]
    with pytest.raises(FHIRError, match="'_content': it is answered by reading") as refused:
        find(shelves, ("_content", "arm"))
    assert (refused.value.status, refused.value.issues[0].code) == (413, "too-costly")


def test_search_parameters_are_partly_built_in() -> None:
    with pytest.raises(FHIRError, match="'_content': this server does not support it for SearchParameter"):
        parse("SearchParameter", [("_content", "arm")])


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("_content", "", "no word"),
        ("_content", "-", "no word"),
        ("_content", "arm,,leg", "no word"),
        ("_content:contains", "arm", "without modifier"),
        ("_content:missing", "true", "without modifier"),
        ("subject:Patient._content", "arm", "only about what is searched itself"),
        ("_filter", "_content co arm", "only about what is searched itself"),
        ("_sort", "_content", "cannot sort by"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(name: str, value: str, why: str) -> None:
    with pytest.raises(FHIRError, match="_content") as refused:
        parse("Condition", [(name, value)])
    assert refused.value.status == 400
    assert why in str(refused.value)
