"""UCUM units in terms of base units, exactly, so that 540 mg/dL and 5.4 g/L are the same.

The definitions are UCUM's own file as the library `ucumvert` brings it. The arithmetic is done here with fractions,
because the library's is of floats and takes arbitrary units such as [IU] for pure numbers, and the reading because
the library's parser takes up to 20 ms for a unit (docs/adr/0013-ucum.md).

https://ucum.org/ucum, http://hl7.org/fhir/R4/search.html#quantity
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

SYSTEM = "http://unitsofmeasure.org"

_LONGEST = 128
_MOST_DIGITS = 30
_MOST_EXPONENT = 30
_MOST_COMPONENTS = 24
_WIDE = Context(prec=60)

_ZERO_POINTS = {
    "Cel": Fraction("273.15"),
    "degF": Fraction("459.67") * Fraction(5, 9),
    "degRe": Fraction("273.15"),
}
"""Kelvins at zero of the temperature scales, by the name of their function in UCUM's definitions."""

_ANNOTATION = re.compile(r"(?:(?<![./(])(?<!^)|(?<=\}))\{[!-z|~]*\}")
_ANNOTATION_ALONE = re.compile(r"\{[!-z|~]*\}")
_TOKEN = re.compile(r"[./()]|(?:\[[^\]]*\]|[^./()\[\]{}])+")
_COMPONENT = re.compile(r"(.*?)([+-]?\d+)", re.ASCII)


class _Unreadable(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Unit:
    """A value times `numerator / denominator` plus `offset` is in base units, which `base` spells: `g.m-3`."""

    base: str
    numerator: Decimal
    denominator: Decimal
    offset: Decimal

    def to_base(self, value: Decimal, context: Context) -> Decimal:
        """The value in base units, rounded as `context` says."""
        if self.denominator != 1:
            value = _WIDE.divide(_WIDE.multiply(value, self.numerator), self.denominator)
            return context.add(value, self.offset)
        return context.fma(value, self.numerator, self.offset)


@lru_cache(maxsize=4096)
def unit(code: str) -> Unit | None:
    """The unit of a UCUM code (case-sensitive); None if it is none, or its scale has no zero in common with others'.

    Annotations say nothing about the unit: `{cells}/uL` is `/uL`.
    """
    if not code.isascii() or not 0 < len(code) <= _LONGEST:
        return None
    try:
        found = _read(_ANNOTATION_ALONE.sub("1", _ANNOTATION.sub("", code)))
    except _Unreadable:
        return None
    powers = sorted((name, power) for name, power in found.powers.items() if power)
    base = ".".join(name if power == 1 else f"{name}{power}" for name, power in powers) or "1"
    offset = _WIDE.divide(Decimal(found.offset.numerator), Decimal(found.offset.denominator))
    return Unit(base, *_decimal(found.ratio), offset)


def _decimal(ratio: Fraction) -> tuple[Decimal, Decimal]:
    """Numerator and denominator; the denominator is 1 where the ratio is a decimal of at most 60 digits."""
    numerator, denominator = Decimal(ratio.numerator), Decimal(ratio.denominator)
    quotient = _WIDE.divide(numerator, denominator)
    if Fraction(quotient) == ratio:
        return quotient.normalize(_WIDE), Decimal(1)
    return numerator, denominator


@dataclass(frozen=True)
class _Product:
    """A ratio to a product of base units; `offset` (in base units) is only that of a unit that stands alone."""

    ratio: Fraction
    powers: Mapping[str, int] = field(default_factory=dict)
    offset: Fraction = Fraction(0)

    def times(self, other: _Product, power: int = 1) -> _Product:
        if self.offset or other.offset:
            raise _Unreadable  # a zero point has no meaning in a product
        powers = Counter(self.powers)
        for name, each in other.powers.items():
            powers[name] += each * power
        return _Product(self.ratio * other.ratio**power, powers)


_ONE = _Product(Fraction(1))


def _read(code: str) -> _Product:
    tokens = _TOKEN.findall(code)
    if "".join(tokens) != code or len(tokens) > 2 * _MOST_COMPONENTS:
        raise _Unreadable
    rest = iter(tokens)
    found = _term(rest, closed_by=None)
    if next(rest, None) is not None:
        raise _Unreadable
    return found


def _term(tokens: Iterator[str], closed_by: str | None) -> _Product:
    """`a.b/c` up to the end or the closing parenthesis; `/a` begins with a pure one."""
    found = _ONE
    power, empty, operator = 1, True, False
    for text in tokens:
        if text == closed_by:
            break
        if text in {".", "/"}:
            if operator or (empty and text == "."):
                raise _Unreadable
            operator, power = True, 1 if text == "." else -1
        elif text == ")" or not (empty or operator):
            raise _Unreadable
        else:
            part = _term(tokens, ")") if text == "(" else _component(text)
            found = part if empty and power == 1 else found.times(part, power)
            empty = operator = False
    else:
        if closed_by is not None:
            raise _Unreadable
    if empty or operator:
        raise _Unreadable
    return found


def _component(text: str) -> _Product:
    """A number, or a unit with its prefix and exponent: `10`, `m`, `cm2`, `10*-3`."""
    if text.isdigit():
        if len(text) > _MOST_DIGITS or int(text) == 0:
            raise _Unreadable
        return _Product(Fraction(int(text)))
    found = _simple(text)
    if found is not None:
        return found
    match = _COMPONENT.fullmatch(text)
    if match is None or len(match[2]) > _MOST_DIGITS or abs(int(match[2])) > _MOST_EXPONENT:
        raise _Unreadable
    found = _simple(match[1])
    if found is None:
        raise _Unreadable
    return _ONE.times(found, int(match[2]))


def _simple(text: str) -> _Product | None:
    """A unit, or a prefix and a metric unit."""
    prefixes, atoms = _definitions()
    if text in atoms:
        return _atom(text)
    for length in (1, 2):
        prefix, rest = text[:length], text[length:]
        if prefix in prefixes and rest in atoms and atoms[rest].attrib.get("isMetric", "yes") == "yes":
            return _Product(prefixes[prefix]).times(_atom(rest))
    return None


@cache
def _definitions() -> tuple[Mapping[str, Fraction], Mapping[str, Any]]:
    """Prefixes, and the elements that define units, by their case-sensitive codes.

    The package itself is not imported: that would load two more libraries, 30 MB.
    """
    package = find_spec("ucumvert")
    assert package is not None
    assert package.origin is not None
    root = ET.parse(Path(package.origin).parent / "vendor" / "ucum-essence.xml").getroot()  # noqa: S314  UCUM's own
    prefixes: dict[str, Fraction] = {}
    units: dict[str, Any] = {}
    for element in root:
        kind, code = element.tag.rpartition("}")[2], element.attrib.get("Code", "")
        if kind in {"unit", "base-unit"}:
            units[code] = element
        elif kind == "prefix" and (value := element.find("{*}value")) is not None:
            prefixes[code] = Fraction(value.attrib["value"])
    return prefixes, units


@cache
def _atom(code: str) -> _Product:
    """A base unit, or one that UCUM defines by others.

    Arbitrary units and logarithmic scales have no ratio to anything else: each is a base unit of its own.
    """
    element = _definitions()[1][code]
    value = element.find("{*}value")
    itself = _Product(Fraction(1), {code: 1})
    if value is None:
        return itself
    function = value.find("{*}function")
    if function is not None:
        name = function.attrib["name"]
        if name not in _ZERO_POINTS:
            return itself
        scale = _read(function.attrib["Unit"])
        return _Product(scale.ratio * Fraction(function.attrib["value"]), scale.powers, _ZERO_POINTS[name])
    if element.attrib.get("isArbitrary") == "yes" and value.attrib["Unit"] == "1":
        return itself
    return _Product(Fraction(value.attrib["value"])).times(_read(value.attrib["Unit"]))
