"""http://hl7.org/fhir/R4/http.html#paging"""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.search import page
from fhir_server.search.clauses import Search, parse
from resources.outcome import FHIRError
from tests.search.conftest import NOW

KEY = b"k" * 32


def search_of(*query: tuple[str, str], resource_type: str = "Patient") -> Search:
    return parse(resource_type, query)


SEARCH = search_of(("gender", "male"))


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, (("_id", 1),)),
        ("_id", (("_id", 1),)),
        ("-_id", (("_id", -1),)),
        ("_lastUpdated", (("t", 1), ("_id", 1))),
        ("-_lastUpdated", (("t", -1), ("_id", -1))),
        ("-_lastUpdated,_id", (("t", -1), ("_id", 1))),
        ("_id,_lastUpdated", (("_id", 1),)),
    ],
)
def test_no_two_documents_are_equal_in_the_order(sort: str | None, expected: page.Order) -> None:
    assert page.order(search_of(*([("_sort", sort)] if sort else []))) == expected


@given(
    values=st.one_of(
        st.tuples(st.text(max_size=64)),
        st.tuples(
            st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(microsecond=5000)),
            st.text(max_size=64),
        ),
    ),
    backwards=st.booleans(),
)
def test_a_position_comes_back(values: tuple[Any, ...], backwards: bool) -> None:
    position = page.Position(values, backwards)
    assert page.read(page.write(position, SEARCH, KEY, NOW), SEARCH, KEY, NOW) == position


CURSOR = page.write(page.Position(("0190f6e2-7c1a-7b53-9d2a-5d1f0b1c2d3e",)), SEARCH, KEY, NOW)


def test_a_cursor_is_short_and_safe_in_a_url() -> None:
    assert len(CURSOR) < 90
    assert CURSOR.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "other",
    [
        search_of(("gender", "female")),
        search_of(),
        search_of(("gender", "male"), ("_sort", "-_id")),
        search_of(("gender", "male"), resource_type="Person"),
    ],
)
def test_a_cursor_of_another_search_is_refused(other: Search) -> None:
    with pytest.raises(FHIRError, match="'_cursor'") as refused:
        page.read(CURSOR, other, KEY, NOW)
    assert refused.value.status == 400


def test_a_cursor_holds_for_the_same_search_in_other_words() -> None:
    same = search_of(("_count", "3"), ("gender", "male"), ("_total", "accurate"))
    assert page.read(CURSOR, same, KEY, NOW).values == ("0190f6e2-7c1a-7b53-9d2a-5d1f0b1c2d3e",)


def test_a_cursor_of_another_key_is_refused() -> None:
    with pytest.raises(FHIRError, match="'_cursor'"):
        page.read(CURSOR, SEARCH, b"x" * 32, NOW)


def test_a_cursor_that_was_altered_anywhere_is_refused() -> None:
    raw = base64.urlsafe_b64decode(CURSOR + "=" * (-len(CURSOR) % 4))
    for place in range(len(raw)):
        altered = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        with pytest.raises(FHIRError, match="'_cursor'"):
            page.read(base64.urlsafe_b64encode(altered).decode(), SEARCH, KEY, NOW)


def test_a_stale_cursor_is_refused() -> None:
    page.read(CURSOR, SEARCH, KEY, NOW + timedelta(hours=24))
    with pytest.raises(FHIRError, match="older than a day"):
        page.read(CURSOR, SEARCH, KEY, NOW + timedelta(hours=24, minutes=1))


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(FHIRError, match="'_cursor'") as refused:
        page.read(text, SEARCH, KEY, NOW)
    assert refused.value.status == 400


def evaluate(condition: Any, document: dict[str, Any]) -> bool:
    """The few MongoDB operators a keyset condition is made of."""
    for name, wanted in condition.items():
        if name == "$and" and not all(evaluate(each, document) for each in wanted):
            return False
        if name == "$or" and not any(evaluate(each, document) for each in wanted):
            return False
        if not name.startswith("$"):
            value = document[name]
            operators = wanted if isinstance(wanted, dict) else {"$eq": wanted}
            checks = {
                "$eq": value.__eq__,
                "$gt": value.__gt__,
                "$gte": value.__ge__,
                "$lt": value.__lt__,
                "$lte": value.__le__,
            }
            if not all(checks[operator](bound) for operator, bound in operators.items()):
                return False
    return True


@settings(deadline=None)
@given(
    pairs=st.sets(st.tuples(st.integers(0, 3), st.text("abc", min_size=1, max_size=2)), max_size=12),
    ways=st.tuples(st.sampled_from([1, -1]), st.sampled_from([1, -1])),
)
def test_after_a_document_come_exactly_those_behind_it(
    pairs: set[tuple[int, str]], ways: tuple[int, int]
) -> None:
    order = (("t", ways[0]), ("_id", ways[1]))
    documents: list[dict[str, Any]] = [{"t": datetime(2024, 1, 1 + t), "_id": name} for t, name in pairs]
    documents.sort(key=lambda each: each["_id"], reverse=ways[1] < 0)
    documents.sort(key=lambda each: each["t"], reverse=ways[0] < 0)
    for place, document in enumerate(documents):
        position = page.position_of(order, document)
        assert [
            each for each in documents if evaluate(page.after(order, position.values), each)
        ] == documents[place + 1 :]
        before = page.after(page.reverse(order), position.values)
        assert [each for each in documents if evaluate(before, each)] == documents[:place]


def test_orders_are_read_in_both_ways() -> None:
    for one, two in itertools.product((1, -1), repeat=2):
        assert page.reverse(page.reverse((("t", one), ("_id", two)))) == (("t", one), ("_id", two))
