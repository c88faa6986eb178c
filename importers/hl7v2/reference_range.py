"""Reference ranges: OBX-7, a text such as `3.5-5.5`, `< 1.0` or `4.3 to 6.2`, as Observation.referenceRange."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from resources.codec import Json

_NUMBER = r"[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})"
_BETWEEN = re.compile(rf"({_NUMBER})\s*(?:-|\u2013|to|\.\.|\^)\s*({_NUMBER})", re.ASCII | re.IGNORECASE)
_BELOW = re.compile(rf"(?:<=|<|≤|up to)\s*({_NUMBER})", re.ASCII | re.IGNORECASE)
_ABOVE = re.compile(rf"(?:>=|>|≥)\s*({_NUMBER})", re.ASCII | re.IGNORECASE)

Limits = tuple[Decimal | None, Decimal | None]


@lru_cache(maxsize=4096)
def limits(text: str) -> Limits:
    """The lowest and highest normal value that the text names; None for each that it does not clearly name."""
    bare = text.strip()
    if bare.startswith("(") and bare.endswith(")"):
        bare = bare[1:-1].strip()
    if match := _BETWEEN.fullmatch(bare):
        low, high = Decimal(match[1]), Decimal(match[2])
        return (low, high) if low <= high else (None, None)
    if match := _BELOW.fullmatch(bare):
        return None, Decimal(match[1])
    if match := _ABOVE.fullmatch(bare):
        return Decimal(match[1]), None
    return None, None


def reference_range(text: str, unit: Json) -> Json:
    """The text as it came, and its limits in the unit of the value (`{}` where that has none) where it names them.

    http://hl7.org/fhir/R4/observation-definitions.html#Observation.referenceRange
    """
    low, high = limits(text)
    found: Json = {}
    if low is not None:
        found["low"] = {"value": low, **unit}
    if high is not None:
        found["high"] = {"value": high, **unit}
    found["text"] = text
    return found
