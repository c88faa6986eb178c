"""The order of a search's results, by any parameter that has an order.

Absent values come last, both ways. Of several values the smallest counts when sorting up, the largest when sorting
down. By `_id`, `_lastUpdated`, or one date that an element has once, MongoDB sorts along an index; by anything else
the matches are sorted here, if they are not too many.

http://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from fhir_server.search.clauses import SORTABLE, Search
from fhir_server.search.string import SEPARATOR
from resources import outcome
from resources.search_elements import holds_one
from resources.search_parameters import SearchParameter

MOST = 10_000
"""Matches that are sorted here."""

_LONGEST = 64
"""Characters of a text by which it is sorted: they go into cursors."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sorting:
    """How a search is sorted: `index` is the field of an index of its own, if there is one; otherwise `computed`."""

    index: str | None = None
    computed: bool = False


def sorting(search: Search) -> Sorting:
    names = [name for name, _ in search.sort]
    if set(names) <= set(SORTABLE):
        return Sorting()
    if len(names) == 1 and _is_single_date(_parameter(search, names[0])):
        return Sorting(index=f"s.{names[0]}.s")
    return Sorting(computed=True)


def _is_single_date(parameter: SearchParameter) -> bool:
    """MongoDB orders lists in its own way."""
    return parameter.type == "date" and holds_one(parameter)


def fields(search: Search) -> dict[str, int]:
    """The projection with all that `page` needs of a document."""
    names = [name for name, _ in search.sort if name not in SORTABLE]
    return {"t": 1, **{f"s.{name}": 1 for name in names}}


def page(
    search: Search, documents: Iterable[Document], after: Sequence[Any] | None, backwards: bool, limit: int
) -> list[tuple[Any, ...]]:
    """The keys, with the id last, of up to `limit` documents that come after (or before) a position."""
    kinds = [_kind(search, name) for name, _ in search.sort]
    ways = [way for _, way in search.sort]
    keys = [(*(_key(document, search.sort[place][0], kind, ways[place]) for place, kind in enumerate(kinds)), document["_id"]) for document in documents]  # fmt: skip
    ways.append(ways[-1])
    for place in reversed(range(len(ways))):
        keys = _sorted(keys, place, ways[place])

    def rank(key: Sequence[Any]) -> list[_Rank]:
        return [_Rank(value, way) for value, way in zip(key, ways, strict=True)]

    if backwards:
        end = len(keys) if after is None else bisect_left(keys, rank(after), key=rank)
        return keys[max(0, end - limit) : end][::-1]
    start = 0 if after is None else bisect_right(keys, rank(after), key=rank)
    return keys[start : start + limit]


def _sorted(keys: list[tuple[Any, ...]], place: int, way: int) -> list[tuple[Any, ...]]:
    """By one part of the keys, absent ones last; ties stay as they are."""
    present = [key for key in keys if key[place] is not None]
    present.sort(key=itemgetter(place), reverse=way < 0)
    return present if len(present) == len(keys) else present + [key for key in keys if key[place] is None]


class _Rank:
    """A value in one order, absent ones last."""

    __slots__ = ("value", "way")

    def __init__(self, value: Any, way: int) -> None:
        self.value = value
        self.way = way

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rank) and bool(self.value == other.value)

    def __lt__(self, other: _Rank) -> bool:
        if self.value is None or other.value is None:
            return self.value is not None
        return bool(self.value < other.value if self.way > 0 else other.value < self.value)

    __hash__ = None  # type: ignore[assignment]


def _parameter(search: Search, name: str) -> SearchParameter:
    return search.table.parameters(search.resource_type)[name]


def _kind(search: Search, name: str) -> str:
    return name if name in SORTABLE else _parameter(search, name).type


def _key(document: Document, name: str, kind: str, way: int) -> Any:
    if kind == "_id":
        return document["_id"]
    if kind == "_lastUpdated":
        return document["t"]
    stored = document.get("s", {}).get(name)
    values = stored if isinstance(stored, list) else [stored]
    possible = [each for each in (_value(kind, value) for value in values) if each is not None]
    if not possible:
        return None
    return min(possible) if way > 0 else max(possible)


def _value(kind: str, value: Any) -> datetime | Decimal | str | None:
    if value is None:
        return None
    if kind == "date":
        start: datetime = value["s"]
        return start
    if kind in {"number", "quantity"}:
        number: Decimal | None = value.get("c", value.get("lo"))
        return number
    text: str = value
    if kind == "string":
        return text.partition(SEPARATOR)[0][:_LONGEST]
    if kind == "token" and "|" in text.replace("\\|", ""):
        return None  # the code alone is among the terms
    return text[:_LONGEST]


def too_many() -> outcome.FHIRError:
    text = f"Parameter '_sort': more than {MOST:,} resources match, too many to sort in this way. "
    return outcome.too_costly(text + "Narrow the search, or sort by _id, _lastUpdated or one date")
