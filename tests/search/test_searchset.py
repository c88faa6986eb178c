"""Walks through searchsets. http://hl7.org/fhir/R4/bundle.html#searchset, http://hl7.org/fhir/R4/http.html#paging"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from fhir_server.search.clauses import parse
from fhir_server.search.plan import plan
from fhir_server.search.searchset import Total, searchset
from tests.search.conftest import BASE, NOW, SITE, Shelf

KEY = b"secret" * 6

Query = list[tuple[str, str]]


def answer(shelf: Shelf, query: Query, *, lenient: bool = False, extra: Any = ()) -> dict[str, Any]:
    """What the search interaction does with a query."""
    planned = plan(parse(shelf.resource_type, query, lenient=lenient), SITE, KEY, extra=extra)
    documents = []
    if planned.limit:
        documents = list(shelf.collection.find(planned.filter).sort(list(planned.sort)).limit(planned.limit))
    total = shelf.collection.count_documents(planned.criteria) if planned.wants_total else None
    counted = None if total is None else Total(total)
    return searchset(planned, documents, SITE, KEY, total=counted)


def link(bundle: dict[str, Any], relation: str) -> str | None:
    found = [each["url"] for each in bundle["link"] if each["relation"] == relation]
    return found[0] if found else None


def query_of(url: str) -> Query:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


def ids(bundle: dict[str, Any]) -> list[str]:
    return [each["resource"]["id"] for each in bundle.get("entry", ()) if each["search"]["mode"] == "match"]


def walk(shelf: Shelf, query: Query, relation: str = "next", **more: Any) -> Iterator[dict[str, Any]]:
    while True:
        bundle = answer(shelf, query, **more)
        yield bundle
        url = link(bundle, relation)
        if url is None:
            return
        query = query_of(url)


@pytest.fixture
def patients(shelves: Mapping[str, Shelf]) -> Shelf:
    """Seven living patients, updated in pairs at the same moment, one deleted, one of another gender."""
    shelf = shelves["Patient"]
    shelf.collection.delete_many({})
    for number in range(7):
        document = shelf.document(
            {"id": f"p{number}", "gender": "male"}, NOW - timedelta(minutes=number // 2)
        )
        shelf.collection.insert_one(document)
    shelf.collection.insert_one({"_id": "p2deleted", "v": 2, "t": NOW, "deleted": True})
    shelf.put({"id": "p3female", "gender": "female"})
    return shelf


def test_a_searchset(patients: Shelf) -> None:
    bundle = answer(patients, [("gender", "male"), ("_count", "1")])
    assert bundle["resourceType"] == "Bundle"
    assert bundle["type"] == "searchset"
    assert "total" not in bundle
    assert bundle["entry"] == [
        {
            "fullUrl": f"{BASE}/Patient/p0",
            "resource": {"resourceType": "Patient", "id": "p0", "gender": "male"},
            "search": {"mode": "match"},
        }
    ]
    assert [each["relation"] for each in bundle["link"]] == ["self", "first", "next"]
    assert link(bundle, "self") == f"{BASE}/Patient?gender=male&_count=1"


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 8])
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]),
        ("-_id", ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]),
        ("_lastUpdated", ["p6", "p4", "p5", "p2", "p3", "p0", "p1"]),
        ("-_lastUpdated", ["p1", "p0", "p3", "p2", "p5", "p4", "p6"]),
        ("-_lastUpdated,_id", ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]),
    ],
)
def test_a_walk_there_and_back(patients: Shelf, sort: str | None, expected: list[str], count: int) -> None:
    query = [("gender", "male"), ("_count", str(count)), *([("_sort", sort)] if sort else [])]
    pages = list(walk(patients, query))
    assert [each for bundle in pages for each in ids(bundle)] == expected
    assert [len(ids(bundle)) for bundle in pages[:-1]] == [count] * (len(pages) - 1)
    back = list(walk(patients, query_of(str(link(pages[-1], "self"))), "previous"))
    assert [ids(bundle) for bundle in back] == [ids(bundle) for bundle in reversed(pages)]
    assert link(back[-1], "previous") is None
    assert link(pages[-1], "first") == link(pages[0], "self")


def test_the_page_before_leads_forward_again(patients: Shelf) -> None:
    first = answer(patients, [("_count", "3")])
    second = answer(patients, query_of(str(link(first, "next"))))
    again = answer(patients, query_of(str(link(second, "previous"))))
    assert ids(again) == ids(first)
    assert ids(answer(patients, query_of(str(link(again, "next"))))) == ids(second)


def test_writes_during_a_walk_neither_repeat_nor_lose_what_stays(patients: Shelf) -> None:
    seen: list[str] = []
    for number, bundle in enumerate(walk(patients, [("gender", "male"), ("_count", "2")])):
        seen += ids(bundle)
        patients.put({"id": f"a{number}", "gender": "male"})
        patients.collection.update_one({"_id": "p6"}, {"$set": {"t": NOW}})
        patients.collection.delete_one({"_id": "p2"})
    assert seen == ["p0", "p1", "p3", "p4", "p5", "p6"]


def test_a_page_whose_resources_went_away_is_empty_and_does_not_fail(patients: Shelf) -> None:
    bundle = answer(patients, [("gender", "male"), ("_count", "4")])
    patients.collection.delete_many({"_id": {"$gt": "p3"}})
    after = answer(patients, query_of(str(link(bundle, "next"))))
    assert "entry" not in after
    assert link(after, "next") is None


@pytest.mark.parametrize("query", [[("_count", "0")], [("_summary", "count")]])
def test_only_the_total(patients: Shelf, query: Query) -> None:
    bundle = answer(patients, [("gender", "male"), *query])
    assert bundle["total"] == 7
    assert "entry" not in bundle
    assert [each["relation"] for each in bundle["link"]] == ["self"]


def test_a_total_counts_all_pages(patients: Shelf) -> None:
    bundles = list(walk(patients, [("gender", "male"), ("_count", "3"), ("_total", "accurate")]))
    assert [bundle["total"] for bundle in bundles] == [7, 7, 7]


def test_deleted_resources_are_never_found(patients: Shelf) -> None:
    for query in (
        [],
        [("_id", "p2deleted")],
        [("gender:missing", "true")],
        [("gender:not", "male")],
        [("_id:not", "p0")],
    ):
        assert "p2deleted" not in ids(answer(patients, query))
    assert answer(patients, [("_count", "0")])["total"] == 8


def test_what_lenient_left_out_is_announced(patients: Shelf) -> None:
    bundle = answer(patients, [("shoe-size", "46"), ("_id", "p0")], lenient=True)
    assert ids(bundle) == ["p0"]
    announced = bundle["entry"][-1]
    assert announced["search"]["mode"] == "outcome"
    assert "shoe-size" in announced["resource"]["issue"][0]["diagnostics"]
    assert "shoe-size" not in str(link(bundle, "self"))


def test_access_clauses_hold_on_every_page_and_in_the_total(patients: Shelf) -> None:
    only = [{"_id": {"$in": ["p1", "p4", "p6"]}}]
    bundles = list(walk(patients, [("_count", "1"), ("_total", "accurate")], extra=only))
    assert [ids(bundle) for bundle in bundles] == [["p1"], ["p4"], ["p6"]]
    assert bundles[0]["total"] == 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [("p1", ["p1"]), ("p1,p5,none", ["p1", "p5"]), ("Patient/p1", []), ("p.*", []), ("p2deleted", [])],
)
def test_ids(patients: Shelf, value: str, expected: list[str]) -> None:
    assert ids(answer(patients, [("_id", value)])) == expected


def test_urls_are_encoded(patients: Shelf) -> None:
    bundle = answer(patients, [("name", "a&b=c#ü \\, d")])
    assert query_of(str(link(bundle, "self"))) == [("name", "a&b=c#ü \\, d"), ("_count", "20")]
    assert str(link(bundle, "self")).isascii()


def test_an_estimate_is_told_as_such() -> None:
    """http://hl7.org/fhir/R4/search.html#total"""
    search = parse("Patient", [("_total", "estimate")])
    planned = plan(search, SITE, KEY)
    estimated = searchset(planned, [], SITE, KEY, total=Total(1234, estimated=True))
    assert estimated["total"] == 1234
    (entry,) = estimated["entry"]
    assert entry["search"]["mode"] == "outcome"
    assert entry["resource"]["issue"][0]["severity"] == "information"
    assert "entry" not in searchset(planned, [], SITE, KEY, total=Total(12))
