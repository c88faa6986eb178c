"""Which index a search would need that looks at far more than it finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bson.regex import Regex

from resources.search_elements import holds_one
from resources.search_parameters import parameters

if TYPE_CHECKING:
    from fhir_server.search.site import Condition
    from fhir_server.store.explaining import Explained

MUCH = 10
"""Documents examined for each returned, from which on an index is suggested"""

FEW = 100
"""Documents that may be examined anyway"""


def suggestion(
    resource_type: str, filter_: Condition, sort: Sequence[tuple[str, int]], told: Explained
) -> str | None:
    """A compound index over what is asked for exactly, then what gives the order, then one range; None if it would
    not help, or is not needed.
    """
    if told.documents <= max(FEW, MUCH * told.returned):
        return None
    exact: list[str] = []
    ranges: list[str] = []
    for field, condition in _tests(filter_):
        (exact if _is_exact(condition) else ranges).append(field)
    order = [field for field, _ in sort if field.startswith("s.")]
    keys: list[str] = []
    lists = 0
    for field in dict.fromkeys([*exact, *order, *ranges[:1]]):
        several = _several(resource_type, field)
        if several and lists:
            continue  # MongoDB cannot index two lists in one index
        lists += several
        keys.append(field)
    if len(keys) < 2:
        return "no index would help: ask for a parameter with fewer matches besides"
    fields = ", ".join(f"'{field}': 1" for field in (*keys, "_id"))
    text = f"{told.documents:,} documents examined for {told.returned:,}: an index would help, "
    return f"{text}db.{resource_type}.createIndex({{{fields}}})"


def _tests(filter_: Any) -> Iterator[tuple[str, Any]]:
    """The search values that all have to be as asked; what only one of several alternatives asks for is not among them."""
    for name, condition in filter_.items():
        if name == "$and":
            for each in condition:
                yield from _tests(each)
        elif name.startswith("s."):
            yield name, condition


def _is_exact(condition: Any) -> bool:
    if isinstance(condition, dict):
        return set(condition) == {"$in"} and not any(isinstance(each, Regex) for each in condition["$in"])
    return not isinstance(condition, Regex)


def _several(resource_type: str, field: str) -> bool:
    parameter = parameters(resource_type).get(field.split(".")[1].partition(":")[0])
    if parameter is None or parameter.type in {"token", "string"}:
        return True
    return not holds_one(parameter)
