"""http://hl7.org/fhir/R4/search.html#sort"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.interactions import pages
from fhir_server.search import page as cursors
from fhir_server.search import sort
from fhir_server.search.clauses import parse
from fhir_server.search.plan import plan
from resources.outcome import FHIRError
from tests.search.conftest import NOW, SITE, Resource, Shelf

KEY = b"k" * 32


class Unit:
    """The store's `find` over a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.asked = 0
        self.store = self
        self.search_milliseconds = 20_000

    async def find(self, name: str, filter_: Any, **options: Any) -> list[dict[str, Any]]:
        assert name == self.shelf.resource_type
        self.asked += 1
        options.pop("max_time_ms")
        order = options.pop("sort", None)
        return list(self.shelf.collection.find(filter_, sort=order, **options))


async def walk(shelf: Shelf, *query: tuple[str, str], count: int, back: bool = False) -> list[str]:
    """The ids of all pages, forwards, or from the end back to the start."""
    search = parse(shelf.resource_type, [*query, ("_count", str(count))])
    found: list[list[str]] = []
    cursor: str | None = None
    last: dict[str, Any] | None = None
    for _ in range(100):
        planned = plan(_with(search, cursor), SITE, KEY)
        documents = await pages.documents(Unit(shelf), planned, {})  # type: ignore[arg-type]
        shown = documents[:count]
        found.append([document["_id"] for document in shown])
        if len(documents) <= count:
            break
        last = shown[-1]
        position = cursors.position_of(cursors.order(search), last)
        cursor = cursors.write(position, search, KEY, NOW)
        assert len(cursor) < 220
    if not back:
        return [each for some in found for each in some]
    backwards = [found[-1]]
    first = shown[0] if shown else None
    while first is not None:
        position = cursors.position_of(cursors.order(search), first, backwards=True)
        planned = plan(_with(search, cursors.write(position, search, KEY, NOW)), SITE, KEY)
        documents = await pages.documents(Unit(shelf), planned, {})  # type: ignore[arg-type]
        shown = documents[:count][::-1]
        backwards.insert(0, [document["_id"] for document in shown])
        first = shown[0] if len(documents) > count else None
    return [each for some in backwards for each in some]


def _with(search: Any, cursor: str | None) -> Any:
    return replace(search, cursor=cursor)


@pytest.fixture(scope="module")
def patients(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Patient"]
    shelf.put(
        {"id": "a", "birthDate": "1980", "gender": "male", "name": [{"family": "Zorn"}, {"family": "Adler"}]},
        {"id": "b", "birthDate": "1970-05", "gender": "female", "name": [{"family": "Müller"}]},
        {"id": "c", "gender": "female", "name": [{"family": "Muller"}]},
        {"id": "d", "birthDate": "1980-01-01", "name": [{"text": "x"}]},
        {"id": "e", "birthDate": "1990", "gender": "male", "name": [{"family": "Becker"}]},
        {"id": "f"},
    )
    return shelf


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("birthdate", "badecf"),
        ("-birthdate", "edabfc"),
        ("family", "aebcdf"),
        ("-family", "acbefd"),
        ("gender,birthdate", "bcaedf"),
        ("gender,-birthdate", "bceadf"),
        ("-gender,family", "aebcdf"),
        ("-birthdate,_id", "eadbcf"),
        ("birthdate,-family", "badecf"),
        ("_lastUpdated,birthdate", "badecf"),
        ("-_id", "fedcba"),
        ("gender,_lastUpdated", "bcaedf"),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 4, 10])
@pytest.mark.parametrize("back", [False, True])
async def test_absent_values_come_last_on_every_page(
    patients: Shelf, keys: str, expected: str, count: int, back: bool
) -> None:
    """Ties are told apart by id, in the way of the last key."""
    assert "".join(await walk(patients, ("_sort", keys), count=count, back=back)) == expected


async def test_numbers_quantities_references_and_uris(shelves: Mapping[str, Shelf]) -> None:
    shelf = shelves["Observation"]
    unit = {"system": "http://unitsofmeasure.org"}
    shelf.put(
        {"id": "a", "valueQuantity": {"value": Decimal("5.4"), "code": "g/L", **unit}, "subject": {"reference": "Patient/2"}},
        {"id": "b", "valueQuantity": {"value": Decimal(100), "code": "mg/dL", **unit}, "subject": {"reference": "Patient/1"}},
        {"id": "c", "valueQuantity": {"value": Decimal(9), "code": "g/L", **unit}, "meta": {"source": "urn:b"}},
        {"id": "d", "meta": {"source": "urn:a"}},
    )  # fmt: skip
    assert await walk(shelf, ("_sort", "value-quantity"), count=1) == ["b", "a", "c", "d"]
    assert await walk(shelf, ("_sort", "-value-quantity"), count=1) == ["c", "a", "b", "d"]
    assert await walk(shelf, ("_sort", "subject"), count=3) == ["b", "a", "c", "d"]
    assert await walk(shelf, ("_sort", "_source"), count=2) == ["d", "c", "a", "b"]


def in_order(resources: list[Resource], read: Callable[[Resource], str], way: int) -> list[Resource]:
    """Sorted by what is read, ties as they were, those without at the end."""
    present = sorted(filter(read, resources), key=read, reverse=way < 0)
    return present + [each for each in resources if not read(each)]


async def test_any_order_is_that_of_sorting_everything(shelves: Mapping[str, Shelf]) -> None:
    shelf = shelves["Encounter"]
    chance = random.Random(7)
    resources = []
    for number in range(60):
        resource: dict[str, Any] = {"id": f"e{number:02}"}
        if chance.random() < 0.7:
            resource["period"] = {"start": f"20{chance.randint(10, 14)}"}
        if chance.random() < 0.7:
            resource["status"] = chance.choice(["planned", "arrived", "finished"])
        resources.append(resource)
    shelf.put(*resources)
    for first, second in itertools.product([1, -1], repeat=2):
        keys = ",".join([f"{'-' if first < 0 else ''}status", f"{'-' if second < 0 else ''}date"])
        expected = sorted(resources, key=lambda each: str(each["id"]), reverse=second < 0)
        expected = in_order(expected, lambda each: each.get("period", {}).get("start", ""), second)
        expected = in_order(expected, lambda each: each.get("status", ""), first)
        assert await walk(shelf, ("_sort", keys), count=7) == [each["id"] for each in expected]


async def test_one_date_is_sorted_along_the_index(patients: Shelf) -> None:
    for keys in ("birthdate", "-birthdate"):
        planned = plan(parse("Patient", [("_sort", keys), ("_count", "1")]), SITE, KEY)
        assert not planned.sorted_here
        explained = patients.collection.find(planned.filter).sort(list(planned.sort)).explain()
        assert "COLLSCAN" not in str(explained["queryPlanner"]["winningPlan"])
    assert plan(parse("Patient", [("_sort", "family")]), SITE, KEY).sorted_here


async def test_too_many_to_sort_is_said(patients: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sort, "MOST", 5)
    with pytest.raises(FHIRError, match="'_sort': more than 5 resources match") as refused:
        await walk(patients, ("_sort", "family"), count=2)
    assert refused.value.issues[0].code == "too-costly"
    assert len(await walk(patients, ("_sort", "family"), ("gender", "male"), count=2)) == 2
    assert len(await walk(patients, ("_sort", "birthdate"), count=2)) == 6


async def test_a_cursor_holds_for_its_own_order(patients: Shelf) -> None:
    one, two = (parse("Patient", [("_sort", keys)]) for keys in ("family,gender", "gender,family"))
    cursor = cursors.write(cursors.Position(("x", None, "id")), one, KEY, NOW)
    assert cursors.read(cursor, one, KEY, NOW).values == ("x", None, "id")
    with pytest.raises(FHIRError, match="'_cursor'"):
        cursors.read(cursor, two, KEY, NOW)


def test_moments_and_numbers_come_back_from_a_cursor() -> None:
    search = parse("Observation", [("_sort", "date,value-quantity")])
    moment = datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    for value in (moment, moment - timedelta(days=365_000), Decimal("5.40"), Decimal("-Infinity"), None, "ü"):
        position = cursors.Position((value, "id"))
        assert cursors.read(cursors.write(position, search, KEY, NOW), search, KEY, NOW) == position
