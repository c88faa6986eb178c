"""What an item of the set is compared with. http://hl7.org/fhir/R4/search_filter.html#ops"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.search import joins
from fhir_server.search.ask import everything
from fhir_server.search.clauses import parse
from fhir_server.search.query import filter_of
from fhir_server.search.string import normalize
from tests.search.conftest import SITE, Resource, Shelf
from tests.search.driving import Driver

LOINC = "http://loinc.org"


def finds(shelf: Shelf, resource: Resource, text: str) -> bool:
    search = parse(shelf.resource_type, [("_filter", text)])
    joined = Driver({}).planned(joins.conditions(search, SITE, everything))
    document = shelf.document({**resource, "id": f"n{next(shelf.numbers):06}"})
    shelf.collection.insert_one(document)
    criteria = {"$and": [{"_id": document["_id"]}, filter_of(search, SITE, joined=joined)]}
    return shelf.collection.find_one(criteria) is not None


def coded(*codes: tuple[str | None, str | None]) -> Resource:
    pairs = [{"system": system, "code": code} for system, code in codes]
    return {"code": {"coding": [{name: each for name, each in pair.items() if each} for pair in pairs]}}


@pytest.mark.parametrize(
    ("codes", "text", "expected"),
    [
        ([(LOINC, "1")], "code ne 1", False),
        ([(LOINC, "1")], "code ne 2", True),
        ([(LOINC, "1"), (LOINC, "2")], "code ne 1", True),
        ([(LOINC, "1")], "code ne loinc|1", False),
        ([(LOINC, "1")], "code ne urn:x|1", True),
        ([(LOINC, "1"), (None, "1")], "code ne loinc|1", True),
        ([(None, "1")], "code ne |1", False),
        ([(None, "1")], "code ne loinc|1", True),
        ([(LOINC, "1")], "code ne loinc|", False),
        ([(LOINC, "1")], "code ne urn:x|", True),
        ([], "code ne 1", False),
        ([(LOINC, "a|b")], "code ne c", True),
        ([(LOINC, "a.b")], "code ne a1b", True),
    ],
)
def test_a_token_that_is_another(
    shelves: Mapping[str, Shelf], codes: list[tuple[str | None, str | None]], text: str, expected: bool
) -> None:
    resource = coded(*codes) if codes else {}
    assert finds(shelves["Observation"], resource, text) is expected


PERIOD = {"effectivePeriod": {"start": "2024-01-10", "end": "2024-01-20"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("date po 2024", True),
        ("date po 2024-01-20", True),
        ("date po 2024-01-21", False),
        ("date po 2024-01-09", False),
        ("date po 2024-01-10T00:00:00Z", True),
        ("date co 2024-01-15", True),
        ("date co 2024-01-10", True),
        ("date co 2024-01", False),
        ("date co 2024-01-21", False),
    ],
)
def test_periods_that_overlap_or_hold_another(
    shelves: Mapping[str, Shelf], text: str, expected: bool
) -> None:
    assert finds(shelves["Observation"], PERIOD, text) is expected


def test_of_several_periods_one_has_to(shelves: Mapping[str, Shelf]) -> None:
    """Goal.target.due and others repeat: no two of them together are one."""
    both = {
        "target": [{"dueDate": "2024-01"}, {"dueDate": "2024-03"}],
        "lifecycleStatus": "active",
    }
    shelf = shelves["Goal"]
    assert finds(shelf, both, "target-date po 2024-03-05")
    assert not finds(shelf, both, "target-date po 2024-02")
    assert not finds(shelf, both, "target-date co 2024-02-10")


def texts(values: list[str]) -> Iterator[str]:
    return (normalize(each) for each in values if normalize(each))


WORD = st.text(alphabet=st.sampled_from("aAbÄé 1\U0001f600~"), min_size=1, max_size=4).filter(normalize)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(WORD, min_size=1, max_size=3), asked=WORD)
def test_texts_compare_by_their_characters(
    shelves: Mapping[str, Shelf], values: list[str], asked: str
) -> None:
    resource = {"name": [{"given": values}]}
    wanted = normalize(asked)
    expected = {
        "eq": any(each == wanted for each in texts(values)),
        "ne": any(each != wanted for each in texts(values)),
        "gt": any(each > wanted for each in texts(values)),
        "ge": any(each >= wanted for each in texts(values)),
        "lt": any(each < wanted for each in texts(values)),
        "le": any(each <= wanted for each in texts(values)),
        "ew": any(each.endswith(wanted) for each in texts(values)),
    }
    found = {each: finds(shelves["Patient"], resource, f'given {each} "{asked}"') for each in expected}
    assert found == expected
