"""What FHIRPath does with single values: equality, order, keys for sets, truth.

A collection is a list of items; an item is `(type, value, sibling)`: the type as the structure tables name it
(`code`, `Patient.contact`, `System.String`), the JSON value (None where only extensions are given), and for a
primitive element the object that holds its id and extensions (`_birthDate`).

http://hl7.org/fhirpath/N1/#equality
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from resources.fhirpath import temporal

Item = tuple[str, Any, Any]
Items = list[Item]


class EvaluationError(Exception):
    """The expression cannot be evaluated on this input: several items where one was expected, wrong types."""


SYSTEM = "System."
DATES = frozenset({"date", "dateTime", "instant", "System.Date", "System.DateTime"})
TIMES = frozenset({"time", "System.Time"})
TEMPORAL = DATES | TIMES
QUANTITIES = frozenset(
    {"Quantity", "Age", "Count", "Distance", "Duration", "SimpleQuantity", "MoneyQuantity", "System.Quantity"}
)

UCUM = "http://unitsofmeasure.org"

TRUE: Item = ("System.Boolean", True, None)
FALSE: Item = ("System.Boolean", False, None)

VOID: Item = ("", {}, None)
"""`$this` where there is nothing."""


def boolean(value: bool | None) -> Items:
    return [] if value is None else [TRUE] if value else [FALSE]


def string(value: str) -> Items:
    return [("System.String", value, None)]


def integer(value: int) -> Items:
    return [("System.Integer", value, None)]


def decimal(value: Decimal) -> Items:
    return [("System.Decimal", value, None)]


def single(items: Items) -> Item | None:
    """The one item, or None if there is none."""
    if not items:
        return None
    if len(items) > 1:
        raise EvaluationError(f"one item was expected, there are {len(items)}")
    return items[0]


def truth(items: Items) -> bool | None:
    """The collection as a boolean: a single item that is no boolean counts as true.

    http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections
    """
    item = single(items)
    if item is None:
        return None
    value = item[1]
    return value if isinstance(value, bool) else True


def is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


# The base unit and the factor of the units that can be told apart without a UCUM library.
_SCALES: dict[str, tuple[str, Decimal]] = {
    **{
        unit: ("s", Decimal(n))
        for unit, n in (("wk", 604800), ("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    },
    **{
        unit: ("s", Decimal(n))
        for unit, n in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60))
    },
    **{unit: ("s", Decimal(n)) for unit, n in (("second", 1), ("millisecond", "0.001"), ("ms", "0.001"))},
    **{unit: ("month", Decimal(n)) for unit, n in (("year", 12), ("month", 1))},
    **{unit: ("m", Decimal(n)) for unit, n in (("km", 1000), ("m", 1), ("dm", "0.1"), ("cm", "0.01"))},
    **{unit: ("m", Decimal(n)) for unit, n in (("mm", "0.001"), ("um", "0.000001"), ("nm", "1e-9"))},
    **{unit: ("g", Decimal(n)) for unit, n in (("kg", 1000), ("g", 1), ("mg", "0.001"), ("ug", "0.000001"))},
    **{unit: ("g", Decimal(n)) for unit, n in (("ng", "1e-9"), ("pg", "1e-12"))},
    **{
        unit: ("L", Decimal(n))
        for unit, n in (("L", 1), ("l", 1), ("dL", "0.1"), ("cL", "0.01"), ("mL", "0.001"))
    },
}


def scaled(quantity: Any) -> tuple[Any, Decimal] | None:
    """The unit of a Quantity and its value in it, in a base unit where it is a common one; None without a value."""
    value = quantity.get("value")
    if not is_number(value):
        return None
    code = quantity.get("code", quantity.get("unit", "1"))
    system = quantity.get("system", UCUM)
    plural = code[:-1] if code.endswith("s") and len(code) > 3 else code
    base, factor = _SCALES.get(code) or _SCALES.get(plural) or (code, Decimal(1))
    return ((UCUM, base), value * factor) if system == UCUM else ((system, code), Decimal(value))


def equal(left: Item, right: Item) -> bool | None:
    """Whether two items are equal; None where partial dates do not say."""
    kind, mine, _ = left
    other_kind, theirs, _ = right
    if mine is None or theirs is None:
        return mine is theirs and left[2] == right[2]
    if kind in TEMPORAL or other_kind in TEMPORAL:
        return _equal_dates(left, right)
    if kind in QUANTITIES and other_kind in QUANTITIES:
        return _equal_quantities(mine, theirs)
    return same(mine, theirs)


def _equal_dates(left: Item, right: Item) -> bool | None:
    if (left[0] in DATES) != (right[0] in DATES) or (left[0] in TIMES) != (right[0] in TIMES):
        return False
    order = temporal.compare(left[1], right[1])
    return None if order is None else order == 0


def _equal_quantities(left: Any, right: Any) -> bool | None:
    one, other = scaled(left), scaled(right)
    if one is None or other is None:
        return same(left, right)
    return one[1] == other[1] if one[0] == other[0] else None


def same(left: Any, right: Any) -> bool:
    """Deep equality of JSON; a boolean is no number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def equal_all(left: Items, right: Items) -> bool | None:
    """`=` of two collections: None if one is empty; in order and of the same length."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    unknown = False
    for a, b in zip(left, right, strict=True):
        result = equal(a, b)
        if result is False:
            return False
        unknown = unknown or result is None
    return None if unknown else True


def key(item: Item) -> object:
    """What equal items have in common: sets of items stay linear with it."""
    kind, value, sibling = item
    if value is None:
        return ("only", _frozen(sibling))
    if kind in DATES:
        return ("date", temporal.key(value))
    if kind in TIMES:
        return ("time", value)
    if kind in QUANTITIES and (measured := scaled(value)) is not None:
        return ("quantity", measured)
    return _frozen(value)


def _frozen(value: Any) -> object:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, dict):
        return frozenset((name, _frozen(each)) for name, each in value.items())
    if isinstance(value, list):
        return tuple(_frozen(each) for each in value)
    return value


def distinct(items: Items) -> Items:
    """The items without repetitions, in order."""
    if len(items) < 2:
        return items
    found: dict[object, Item] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())


def compare(left: Item, right: Item) -> int | None:
    """-1, 0, 1, or None where the two cannot be compared for lack of precision or a common unit.

    http://hl7.org/fhirpath/N1/#comparison
    """
    mine, theirs = left[1], right[1]
    if mine is None or theirs is None:
        return None
    if left[0] in TEMPORAL and right[0] in TEMPORAL:
        return temporal.compare(mine, theirs)
    if left[0] in QUANTITIES and right[0] in QUANTITIES:
        one, other = scaled(mine), scaled(theirs)
        if one is None or other is None or one[0] != other[0]:
            return None
        return (one[1] > other[1]) - (one[1] < other[1])
    if (is_number(mine) and is_number(theirs)) or (isinstance(mine, str) and isinstance(theirs, str)):
        return int(mine > theirs) - int(mine < theirs)
    raise EvaluationError(f"{left[0]} and {right[0]} cannot be compared")
