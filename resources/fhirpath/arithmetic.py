"""`+ - * / div mod &` over numbers, strings, quantities and dates.

http://hl7.org/fhirpath/N1/#math-1
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from resources.fhirpath import temporal, values
from resources.fhirpath.values import EvaluationError, Item, Items, single


def _concatenate(left: Items, right: Items) -> Items:
    one, other = single(left), single(right)
    return values.string((one[1] or "" if one else "") + (other[1] or "" if other else ""))


def _number(value: Any) -> Items:
    return values.integer(value) if isinstance(value, int) else values.decimal(value)


def _arithmetic(work: Callable[[Any, Any], Any], operator: str) -> Callable[[Items, Items], Items]:
    def run(left: Items, right: Items) -> Items:
        one, other = single(left), single(right)
        if one is None or other is None or one[1] is None or other[1] is None:
            return []
        if one[0] in values.TEMPORAL and other[0] in values.QUANTITIES:
            return _moved(one, other, operator)
        if one[0] in values.QUANTITIES or other[0] in values.QUANTITIES:
            return _measured(one, other, operator)
        if not (values.is_number(one[1]) and values.is_number(other[1])):
            if operator == "+" and isinstance(one[1], str) and isinstance(other[1], str):
                return values.string(one[1] + other[1])
            raise EvaluationError(f"'{operator}' cannot work on {one[0]} and {other[0]}")
        try:
            return _number(work(one[1], other[1]))
        except (ZeroDivisionError, InvalidOperation):
            return []

    return run


def _moved(left: Item, right: Item, operator: str) -> Items:
    amount, unit = right[1]["value"], right[1].get("code", "")
    calendar = {"d": "day", "wk": "week", "h": "hour", "min": "minute", "ms": "millisecond", "s": "second"}
    unit = calendar.get(unit, unit)
    if operator not in "+-" or unit.rstrip("s") not in {*calendar.values(), "year", "month"}:
        raise EvaluationError(f"'{operator}' cannot work on {left[0]} and the unit '{unit}'")
    moved = temporal.plus(left[1], amount if operator == "+" else -amount, unit)
    return [] if moved is None else [(left[0], moved, None)]


def _measured(left: Item, right: Item, operator: str) -> Items:
    if left[0] in values.QUANTITIES and right[0] in values.QUANTITIES and operator in "+-":
        one, other = values.scaled(left[1]), values.scaled(right[1])
        if one is None or other is None or one[0] != other[0]:
            return []
        total = one[1] + other[1] if operator == "+" else one[1] - other[1]
        return [("System.Quantity", {"value": total, "code": one[0][1], "system": one[0][0]}, None)]
    if values.is_number(right[1]) and operator in "*/" and right[1]:
        value = left[1]["value"]
        return [
            (left[0], {**left[1], "value": value * right[1] if operator == "*" else value / right[1]}, None)
        ]
    raise EvaluationError(f"'{operator}' of these quantities needs a unit conversion that is not known here")


def _whole(value: Decimal) -> int:
    return int(value)


def _remainder(left: Any, right: Any) -> Any:
    rest = Decimal(left) % Decimal(right)
    return int(rest) if isinstance(left, int) and isinstance(right, int) else rest


ARITHMETIC: dict[str, Callable[[Items, Items], Items]] = {
    "&": _concatenate,
    "+": _arithmetic(lambda a, b: a + b, "+"),
    "-": _arithmetic(lambda a, b: a - b, "-"),
    "*": _arithmetic(lambda a, b: a * b, "*"),
    "/": _arithmetic(lambda a, b: Decimal(a) / Decimal(b), "/"),
    "div": _arithmetic(lambda a, b: _whole(Decimal(a) // Decimal(b)), "div"),
    "mod": _arithmetic(_remainder, "mod"),
}
