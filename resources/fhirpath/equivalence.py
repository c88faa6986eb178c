"""`~`: equal for a reader, whatever order, case, white space or precision.

http://hl7.org/fhirpath/N1/#equivalence
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from resources.fhirpath import temporal
from resources.fhirpath.values import QUANTITIES, TEMPORAL, Item, Items, is_number, scaled


def equivalent_all(left: Items, right: Items) -> bool:
    """Whether two collections hold equivalent items in any order; two empty ones do."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for item in left:
        at = next((i for i, other in enumerate(rest) if equivalent(item, other)), None)
        if at is None:
            return False
        del rest[at]
    return True


def equivalent(left: Item, right: Item) -> bool:
    """Whether two items are equivalent."""
    if left[0] in TEMPORAL and right[0] in TEMPORAL:
        return temporal.compare(left[1], right[1]) == 0
    if left[0] in QUANTITIES and right[0] in QUANTITIES:
        one, other = scaled(left[1]), scaled(right[1])
        return one is not None and other is not None and one[0] == other[0] and _close(one[1], other[1])
    return _alike(left[1], right[1])


def _alike(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return _close(Decimal(left), Decimal(right))
    if isinstance(left, str) and isinstance(right, str):
        return _plain(left) == _plain(right)
    if isinstance(left, dict) and isinstance(right, dict):
        members = left.keys() - {"id"}
        return members == right.keys() - {"id"} and all(_alike(left[name], right[name]) for name in members)
    if isinstance(left, list) and isinstance(right, list):
        return equivalent_all([("", each, None) for each in left], [("", each, None) for each in right])
    return bool(left == right)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _close(left: Decimal, right: Decimal) -> bool:
    """Equal when rounded to the precision of the less precise one, trailing zeros not counted."""
    places = min(_places(left), _places(right))
    return round(left, places) == round(right, places)


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
