"""Functions over whole collections.

http://hl7.org/fhirpath/N1/#subsetting, http://hl7.org/fhirpath/N1/#combining
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache

from resources.fhirpath.values import (
    EvaluationError,
    Items,
    boolean,
    distinct,
    integer,
    is_number,
    key,
    single,
)


@cache
def arity(work: Callable[..., Items]) -> tuple[int, int]:
    """The least and the greatest number of arguments, the input not counted."""
    parameters = list(inspect.signature(work).parameters.values())[1:]
    return sum(p.default is p.empty for p in parameters), len(parameters)


def _number(argument: Items) -> int:
    item = single(argument)
    if item is None or not is_number(item[1]):
        raise EvaluationError("a whole number was expected")
    return int(item[1])


def _single(items: Items) -> Items:
    single(items)
    return items


def _take(items: Items, count: Items) -> Items:
    return items[: max(0, _number(count))]


def _skip(items: Items, count: Items) -> Items:
    return items[max(0, _number(count)) :]


def _is_distinct(items: Items) -> Items:
    return boolean(len({key(item) for item in items}) == len(items))


FUNCTIONS: dict[str, Callable[..., Items]] = {
    "count": lambda items: integer(len(items)),
    "first": lambda items: items[:1],
    "last": lambda items: items[-1:],
    "tail": lambda items: items[1:],
    "single": _single,
    "take": _take,
    "skip": _skip,
    "distinct": distinct,
    "isDistinct": _is_distinct,
    "union": lambda items, other: distinct(items + other),
    "combine": lambda items, other: items + other,
}
