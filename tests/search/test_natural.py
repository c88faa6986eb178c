"""The order of a search that asks for none, and which searches are a stretch of one index."""

from __future__ import annotations

import pytest

from fhir_server.search import natural
from fhir_server.search.clauses import parse


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ([("patient", "1"), ("code", "a|b"), ("date", "ge2024")], (("date", -1),)),
        ([("patient", "1"), ("code", "a|b")], ()),
        ([("date", "ge2024")], ()),
        ([("patient", "1"), ("code", "b"), ("date", "ge2024"), ("_sort", "_id")], (("_id", 1),)),
    ],
)
def test_what_a_date_narrows_comes_newest_first(
    query: list[tuple[str, str]], order: tuple[tuple[str, int], ...]
) -> None:
    assert natural.ordered(parse("Observation", query)).sort == order


NEWEST_FIRST = ("_sort", "-date")


@pytest.mark.parametrize(
    "query",
    [
        [("patient", "Patient/1"), ("code", "http://loinc.org|718-7"), NEWEST_FIRST],
        [("patient", "Patient/1,Patient/2"), ("code", "718-7"), ("date", "ge2024"), ("_sort", "date")],
        [("code", "718-7,|789-8"), NEWEST_FIRST, ("_count", "100")],
    ],
)
def test_a_stretch_of_one_index(query: list[tuple[str, str]]) -> None:
    assert natural.is_index(parse("Observation", query))


@pytest.mark.parametrize(
    "query",
    [
        [("patient", "Patient/1"), ("code", "718-7")],
        [("patient", "Patient/1"), NEWEST_FIRST],
        [("patient", "Patient/1"), ("code", "718-7"), ("_sort", "-date,_id")],
        [("patient", "Patient/1"), ("code", "718-7"), ("status", "final"), NEWEST_FIRST],
        [("patient", "Patient/1"), ("code", "718-7"), ("code:not", "789-8"), NEWEST_FIRST],
        [("patient", "Patient/1"), ("code", "http://loinc.org|"), NEWEST_FIRST],
        [("patient", "Patient/1/_history/2"), ("code", "718-7"), NEWEST_FIRST],
        [("patient", "Patient/1|2"), ("code", "718-7"), NEWEST_FIRST],
        [("patient.name", "x"), ("code", "718-7"), NEWEST_FIRST],
        [("code", ",".join(map(str, range(11)))), NEWEST_FIRST],
    ],
)
def test_what_has_more_to_look_at(query: list[tuple[str, str]]) -> None:
    assert not natural.is_index(parse("Observation", query))
