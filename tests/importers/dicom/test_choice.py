from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.dicom.choice import chosen, distinct
from importers.dicom.rows import Group


def group(series: str, first: str, count: int = 1, **study: Any) -> Group:
    return Group(series, study, study, count, first, frozenset())


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], {}),
        ([group("1", "a")], {}),
        ([group("1", "a"), group("1", "b", D="x")], {"D": "x"}),
        # most series, though fewer instances
        ([group("1", "a", 100, D="x"), group("2", "b", D="y"), group("3", "c", D="y")], {"D": "y"}),
        # most instances
        ([group("1", "a", D="x"), group("1", "b", 2, D="y")], {"D": "y"}),
        # the smallest UID
        ([group("1", "b", D="x"), group("1", "a", D="y")], {"D": "y"}),
    ],
)
def test_who_wins(groups: list[Group], expected: dict[str, Any]) -> None:
    for order in permutations(groups):
        assert chosen(order, ("D",))[0] == expected


def test_what_belongs_together_stays_together() -> None:
    groups = [group("1", "a", 3, D="x", T="1"), group("1", "b", 2, D="y", T="2"), group("1", "c", T="9")]
    assert chosen(groups, ("D", "T")) == ({"D": "x", "T": "1"}, True)


def test_whether_they_disagree() -> None:
    assert chosen([group("1", "a", D="x"), group("2", "b", D="x")], ("D",)) == ({"D": "x"}, False)
    assert not chosen([group("1", "a"), group("2", "b", D="x")], ("D",))[1]


def test_different_values_in_the_order_of_uids() -> None:
    groups = [group("1", "c", D="x"), group("1", "b", D="y"), group("2", "a", D="x"), group("3", "0")]
    for order in permutations(groups):
        assert distinct(order, "D") == ["x", "y"]


_groups = st.lists(
    st.tuples(st.sampled_from("123"), st.integers(1, 3), st.sampled_from([None, "x", "y", "z"])), max_size=6
)


@given(_groups, st.randoms())
def test_order_never_matters(told: list[tuple[str, int, str | None]], random: Any) -> None:
    groups = [
        group(series, f"{number}", count, **({"D": value} if value else {}))
        for number, (series, count, value) in enumerate(told)
    ]
    other = groups.copy()
    random.shuffle(other)
    assert chosen(groups, ("D",)) == chosen(other, ("D",))
    assert distinct(groups, "D") == distinct(other, "D")
