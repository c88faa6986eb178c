"""Functions from one type to another, and the clock.

http://hl7.org/fhirpath/N1/#conversion, http://hl7.org/fhirpath/N1/#current-date-and-time-functions
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from resources.fhirpath import temporal
from resources.fhirpath.values import DATES, QUANTITIES, TIMES, UCUM, Item, Items, boolean, is_number, single

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_DECIMAL = re.compile(r"[+-]?\d{1,100}(\.\d{1,100})?")
_QUANTITY = re.compile(r"([+-]?\d{1,100}(?:\.\d{1,100})?)\s*(?:'([^']+)'|([a-z]+))?")
_TRUE = {"true", "t", "yes", "y", "1", "1.0"}
_FALSE = {"false", "f", "no", "n", "0", "0.0"}

Conversion = Callable[[Item], Item | None]


def _to_boolean(item: Item) -> Item | None:
    value = item[1]
    if isinstance(value, bool):
        return ("System.Boolean", value, None)
    if is_number(value):
        return ("System.Boolean", value == 1, None) if value in (0, 1) else None
    text = value.lower() if isinstance(value, str) else ""
    return ("System.Boolean", text in _TRUE, None) if text in _TRUE | _FALSE else None


def _to_integer(item: Item) -> Item | None:
    value = item[1]
    if isinstance(value, int):
        return ("System.Integer", int(value), None)
    found = isinstance(value, str) and _INTEGER.fullmatch(value)
    return ("System.Integer", int(value), None) if found else None


def _to_decimal(item: Item) -> Item | None:
    value = item[1]
    if isinstance(value, int | Decimal):
        return ("System.Decimal", Decimal(value), None)
    found = isinstance(value, str) and _DECIMAL.fullmatch(value)
    return ("System.Decimal", Decimal(value), None) if found else None


def _to_string(item: Item) -> Item | None:
    value = item[1]
    if isinstance(value, bool):
        return ("System.String", "true" if value else "false", None)
    if isinstance(value, dict):
        return (
            ("System.String", f"{value.get('value')} '{value.get('code')}'", None)
            if _measures(item)
            else None
        )
    return ("System.String", value if isinstance(value, str) else str(value), None)


def _measures(item: Item) -> bool:
    return item[0] in QUANTITIES and is_number(item[1].get("value"))


def _to_date(item: Item) -> Item | None:
    value = item[1]
    if isinstance(value, str) and temporal.date_parts(value) is not None:
        return ("System.Date", value.partition("T")[0], None)
    return None


def _to_date_time(item: Item) -> Item | None:
    value = item[1]
    if isinstance(value, str) and item[0] not in TIMES and temporal.date_parts(value) is not None:
        return ("System.DateTime", value, None)
    return None


def _to_time(item: Item) -> Item | None:
    value = item[1]
    if (
        isinstance(value, str)
        and item[0] not in DATES
        and temporal.time_parts(value.removeprefix("T")) is not None
    ):
        return ("System.Time", value.removeprefix("T"), None)
    return None


def _to_quantity(item: Item) -> Item | None:
    value: Any = item[1]
    if item[0] in QUANTITIES:
        return item
    unit = "1"
    if isinstance(value, bool):
        value = int(value)
    elif isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is None:
            return None
        value, unit = Decimal(match.group(1)), match.group(2) or match.group(3) or "1"
    if not is_number(value):
        return None
    return ("System.Quantity", {"value": Decimal(value), "unit": unit, "code": unit, "system": UCUM}, None)


_CONVERSIONS: dict[str, Conversion] = {
    "Boolean": _to_boolean,
    "Integer": _to_integer,
    "Decimal": _to_decimal,
    "String": _to_string,
    "Date": _to_date,
    "DateTime": _to_date_time,
    "Time": _to_time,
    "Quantity": _to_quantity,
}


def _converted(convert: Conversion, items: Items) -> Item | None:
    item = single(items)
    return None if item is None or item[1] is None else convert(item)


def _converter(convert: Conversion) -> Callable[[Items], Items]:
    def run(items: Items) -> Items:
        found = _converted(convert, items)
        return [] if found is None else [found]

    return run


def _tester(convert: Conversion) -> Callable[[Items], Items]:
    def run(items: Items) -> Items:
        return boolean(_converted(convert, items) is not None) if items else []

    return run


def _now(items: Items) -> Items:
    return [
        ("System.DateTime", datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), None)
    ]


def _get_value(items: Items) -> Items:
    return items if len(items) == 1 and items[0][1] is not None and not isinstance(items[0][1], dict) else []


FUNCTIONS: dict[str, Callable[..., Items]] = {
    **{f"to{name}": _converter(convert) for name, convert in _CONVERSIONS.items()},
    **{f"convertsTo{name}": _tester(convert) for name, convert in _CONVERSIONS.items()},
    "now": _now,
    "today": lambda _: [("System.Date", datetime.now(UTC).date().isoformat(), None)],
    "timeOfDay": lambda _: [("System.Time", datetime.now(UTC).strftime("%H:%M:%S"), None)],
    "getValue": _get_value,
}
