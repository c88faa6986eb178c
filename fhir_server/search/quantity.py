"""Quantity parameters: a number with a unit, in whatever unit of the same kind.

Stored as `{lo, hi, u}`, the values as they are written (`hi` only where it differs) and the names of their unit: code
and human text, `system|code` where it is none of UCUM; and `{c, ch, d}`, the same values in UCUM's base units and what
these are. All of it belongs to one quantity, so one quantity has to meet a whole condition.

http://hl7.org/fhir/R4/search.html#quantity
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_server.search import token
from fhir_server.search.clause import Clause
from fhir_server.search.number import any_condition, asked_for, on_one, stored, within
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import split_bar, split_prefix
from resources import outcome, ucum
from resources.number import EXACT, INFINITY, Asked, Bounds, quantity_bounds, sampled_bounds
from resources.ucum import Unit

MODIFIERS: tuple[str, ...] = ()

CURRENCY = "urn:iso:std:iso:4217"
"""http://hl7.org/fhir/R4/datatypes.html#Money"""


def index(type_name: str, value: Any, site: Site) -> list[dict[str, Any]]:
    """What a Quantity, Money, Range or SampledData is found by; nothing for other types, or without a value."""
    if not isinstance(value, dict):
        return []
    if type_name == "Range":
        return _range(value.get("low", {}), value.get("high", {}))
    if type_name == "SampledData":
        bounds, measured = sampled_bounds(value), value.get("origin", {})
    else:
        bounds, measured = quantity_bounds(value), value
    if bounds is None:
        return []
    names, unit = _unit(measured)
    document = stored(bounds)
    if type_name == "SampledData":
        document["sampled"] = True
    return [_with_unit(document, names, unit, bounds)]


def _range(low: Mapping[str, Any], high: Mapping[str, Any]) -> list[dict[str, Any]]:
    """http://hl7.org/fhir/R4/datatypes.html#Range: both ends are inside; an end that is not there is open.

    Ends in different units have no common literal values.
    """
    first, last = quantity_bounds(low), quantity_bounds(high)
    if first is None and last is None:
        return []
    names, unit = _unit(low if first is not None else high)
    other_names, other = _unit(high if last is not None else low)
    if names == other_names:
        bounds = Bounds(first.low if first else -INFINITY, last.high if last else INFINITY)
        return [_with_unit(stored(bounds), names, unit, bounds)]
    if first is None or last is None or unit is None or other is None or unit.base != other.base:
        return []
    ends = Bounds(unit.to_base(first.low, EXACT), other.to_base(last.high, EXACT))
    return [_canonical({}, ends, unit.base)]


def _unit(quantity: Mapping[str, Any]) -> tuple[list[str], Unit | None]:
    """The names of a quantity's unit, and what UCUM knows of it."""
    if "currency" in quantity:
        return token.terms(CURRENCY, quantity["currency"]), None
    system, code, text = quantity.get("system"), quantity.get("code"), quantity.get("unit")
    unit = ucum.unit(code) if code is not None and system == ucum.SYSTEM else None
    names = token.terms(system, code) if unit is None else [token.escape(str(code))]
    if text is not None and text != code:
        names.append(token.escape(text))
    return names, unit


def _with_unit(
    document: dict[str, Any], names: list[str], unit: Unit | None, bounds: Bounds
) -> dict[str, Any]:
    if names:
        document["u"] = names if len(names) > 1 else names[0]
    if unit is None:
        return document
    low = unit.to_base(bounds.low, EXACT)
    high = low if bounds.high == bounds.low else unit.to_base(bounds.high, EXACT)
    return _canonical(document, Bounds(low, high), unit.base)


def _canonical(document: dict[str, Any], bounds: Bounds, base: str) -> dict[str, Any]:
    document["c"] = bounds.low
    if bounds.high != bounds.low:
        document["ch"] = bounds.high
    document["d"] = base
    return document


def condition(clause: Clause, site: Site) -> Condition:
    """Documents with a quantity that one of the clause's values asks for."""
    return any_condition([_one(clause, value) for value in clause.values])


def _one(clause: Clause, value: str) -> Condition:
    """`5.4|http://unitsofmeasure.org|mg` in any unit of mass, `5.4||mg` in one called so, `5.4` in any at all."""
    number, *rest = split_bar(value)
    prefix, text = split_prefix(number)
    asked = asked_for(clause, prefix, text)
    if len(rest) not in {0, 2} or (rest and not rest[1]):
        raise outcome.bad_parameter(
            clause.name, f"'{value[:64]}' is not of the form number, number||unit or number|system|code"
        )
    system, code = rest or ("", "")
    unit = ucum.unit(code) if system == ucum.SYSTEM else None
    if unit is not None:
        base = unit.base
        asked = Asked(*(unit.to_base(each, EXACT) for each in asked))
        return on_one(clause, lambda at: {f"{at}d": base, **within(f"{at}c", f"{at}ch", prefix, asked)})
    name = token.escape(code)
    named = f"{token.escape(system)}|{name}" if system else name

    def build(at: str) -> Condition:
        unit_condition: Condition = {f"{at}u": named} if code else {}
        return {**unit_condition, **within(f"{at}lo", f"{at}hi", prefix, asked)}

    return on_one(clause, build)
