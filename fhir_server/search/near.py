"""The special parameter `near`: locations within a distance on the globe.

Stored as `{lat, lon}` in degrees. A box around the point is looked up in the index, the great-circle distance judges
what lies in it.

http://hl7.org/fhir/R4/location.html#search
"""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any

from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import split_bar
from resources import outcome, ucum

MODIFIERS: tuple[str, ...] = ()

EARTH = 6_371_008.8
"""Mean radius in metres (IUGG)."""

DEFAULT_METRES = 25_000.0
"""Where a search names no distance, the server chooses one."""

_UNITS = {"mi": "[mi_i]", "": "km"}
"""What is written for a UCUM unit."""


def index(type_name: str, value: Any, site: Site) -> list[dict[str, float]]:
    """The place of a Location.position."""
    latitude, longitude = value.get("latitude"), value.get("longitude")
    if not isinstance(latitude, int | Decimal) or not isinstance(longitude, int | Decimal):
        return []
    return [{"lat": float(latitude), "lon": float(longitude)}]


def condition(clause: Clause, site: Site) -> Condition:
    """Documents with a place near one of the clause's: `latitude|longitude|distance|units`."""
    alternatives = [_near(clause, value) for value in clause.values]
    return alternatives[0] if len(alternatives) == 1 else {"$or": alternatives}


def _near(clause: Clause, value: str) -> Condition:
    parts = split_bar(value)
    if not 2 <= len(parts) <= 4:
        raise outcome.bad_parameter(
            clause.name, f"'{value[:64]}' is not of the form latitude|longitude|distance|units"
        )
    latitude, longitude = _degrees(clause, parts[0], 90), _degrees(clause, parts[1], 180)
    metres = _metres(clause, parts[2] if len(parts) > 2 else "", parts[3] if len(parts) > 3 else "")
    lat, lon = f"{clause.field}.lat", f"{clause.field}.lon"
    around = math.degrees(metres / EARTH) + 1e-9
    box: Condition = {lat: {"$gte": latitude - around, "$lte": latitude + around}}
    widest = math.cos(math.radians(min(90.0, abs(latitude) + around)))
    if widest > 0 and around < 90 and (reach := math.sin(math.radians(around)) / widest) < 1:
        box.update(_longitudes(lon, longitude, math.degrees(math.asin(reach)) + 1e-9))
    box["$expr"] = {
        "$lte": [_haversine(lat, lon, latitude, longitude), math.sin(min(metres / EARTH, math.pi) / 2) ** 2]
    }
    return box


def _longitudes(lon: str, longitude: float, around: float) -> Condition:
    """The part of the circle of latitude, which may go on beyond 180 degrees from the other side."""
    west, east = longitude - around, longitude + around
    inside: list[Condition] = [{lon: {"$gte": west, "$lte": east}}]
    if west < -180:
        inside.append({lon: {"$gte": west + 360}})
    if east > 180:
        inside.append({lon: {"$lte": east - 360}})
    return inside[0] if len(inside) == 1 else {"$or": inside}


def _haversine(lat: str, lon: str, latitude: float, longitude: float) -> Condition:
    """The square of the sine of half the angle between two places."""

    def half(field: str, degrees: float) -> Condition:
        difference = {"$degreesToRadians": {"$subtract": [f"${field}", degrees]}}
        return {"$pow": [{"$sin": {"$divide": [difference, 2]}}, 2]}

    cosines = {"$multiply": [{"$cos": {"$degreesToRadians": f"${lat}"}}, math.cos(math.radians(latitude))]}
    return {"$add": [half(lat, latitude), {"$multiply": [cosines, half(lon, longitude)]}]}


def _number(clause: Clause, text: str, what: str) -> Decimal:
    try:
        found = Decimal(text) if len(text) <= 32 and text.isascii() else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or abs(found.adjusted()) > 20:
        raise outcome.bad_parameter(clause.name, f"'{text[:64]}' is no {what}")
    return found


def _degrees(clause: Clause, text: str, most: int) -> float:
    found = _number(clause, text, "number of degrees")
    if abs(found) > most:
        raise outcome.bad_parameter(clause.name, f"'{text}' is not between -{most} and {most} degrees")
    return float(found)


def _metres(clause: Clause, distance: str, units: str) -> float:
    if not distance:
        return DEFAULT_METRES
    found = _number(clause, distance, "distance")
    unit = ucum.unit(_UNITS.get(units, units))
    if unit is None or unit.base != "m":
        raise outcome.bad_parameter(
            clause.name, f"'{units[:64]}' is no unit of length: km, m, [mi_i] or another of UCUM"
        )
    if found < 0:
        raise outcome.bad_parameter(clause.name, f"the distance '{distance}' is below zero")
    return float(found * unit.numerator / unit.denominator)
