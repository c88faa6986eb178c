"""Functions over numbers; decimals throughout.

http://hl7.org/fhirpath/N1/#math
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from resources.fhirpath.values import QUANTITIES, EvaluationError, Items, decimal, integer, is_number, single


def number(items: Items) -> Any:
    """The one number, None if there is none."""
    item = single(items)
    if item is None or item[1] is None:
        return None
    if not is_number(item[1]):
        raise EvaluationError(f"a number was expected, not {item[0]}")
    return item[1]


def _result(value: Any) -> Items:
    return integer(value) if isinstance(value, int) else decimal(value)


def _works(work: Callable[[Any], Any]) -> Callable[[Items], Items]:
    def run(items: Items) -> Items:
        value = number(items)
        try:
            result = None if value is None else work(value)
        except (InvalidOperation, ValueError, OverflowError):
            return []
        return [] if result is None or not Decimal(result).is_finite() else _result(result)

    return run


def _abs(items: Items) -> Items:
    item = single(items)
    if item is not None and item[0] in QUANTITIES:
        return [(item[0], {**item[1], "value": abs(item[1]["value"])}, None)]
    return _works(abs)(items)


def _whole(rounding: str) -> Callable[[Items], Items]:
    return _works(lambda value: int(Decimal(value).to_integral_value(rounding)))


def _log(items: Items, base: Items) -> Items:
    value, to = number(items), number(base)
    if value is None or to is None or value <= 0 or to <= 0 or to == 1:
        return []
    return decimal((Decimal(value).ln() / Decimal(to).ln()).quantize(Decimal("1.000000000000")))


def _power(items: Items, exponent: Items) -> Items:
    value, to = number(items), number(exponent)
    if value is None or to is None:
        return []
    try:
        raised = Decimal(value) ** Decimal(to)
    except (InvalidOperation, OverflowError):
        return []
    whole = isinstance(value, int) and isinstance(to, int) and to >= 0
    return integer(int(raised)) if whole else decimal(raised)


def _round(items: Items, precision: Items | None = None) -> Items:
    value = number(items)
    places = number(precision) if precision is not None else 0
    if value is None:
        return []
    if not isinstance(places, int) or not 0 <= places <= 28:
        raise EvaluationError("round() takes a whole number of digits from 0 to 28")
    return decimal(Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


FUNCTIONS: dict[str, Callable[..., Items]] = {
    "abs": _abs,
    "ceiling": _whole(ROUND_CEILING),
    "floor": _whole(ROUND_FLOOR),
    "truncate": _works(int),
    "exp": _works(lambda value: Decimal(value).exp()),
    "ln": _works(lambda value: Decimal(value).ln()),
    "sqrt": _works(lambda value: Decimal(value).sqrt()),
    "log": _log,
    "power": _power,
    "round": _round,
}
