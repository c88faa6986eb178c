"""How a medication is to be taken: TQ1, RXR and the amounts of RXO, RXE and RXG as Dosage.

http://hl7.org/fhir/R4/dosage.html; http://hl7.org/fhir/uv/v2mappings, RXO, RXR and TQ1[MedicationRequest]
"""

from __future__ import annotations

from importers.hl7v2 import datatypes
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment
from importers.hl7v2.order_group import OrderGroup
from importers.hl7v2.periods import span
from importers.hl7v2.specimen import quantity
from importers.hl7v2.timing import Schedule
from importers.hl7v2.units import unit_of
from resources.codec import Json

_TYPES = "http://terminology.hl7.org/CodeSystem/dose-rate-type"
_AMOUNTS = {"RXE": (3, 4, 5), "RXO": (2, 3, 4), "RXG": (5, 6, 7)}
"""Fields of the least and the most of a dose, and of its units"""
_TEXTS = {"RXE": (7,), "RXO": (6, 7), "RXG": (13,)}


def instructions(conversion: Conversion, group: OrderGroup, planned: Schedule) -> list[Json]:
    """A Dosage of each route (RXR); of the most exact of RXE, RXG and RXO."""
    segment = next(
        (each for name in ("RXE", "RXG", "RXO") for each in group.others if each.name == name), None
    )
    common: Json = {}
    texts = [*planned.instructions]
    if segment is not None:
        texts = [text for field in _TEXTS[segment.name] if (text := text_of(segment, field))] + texts
    if texts:
        common["text"] = "\n".join(texts)
    if planned.timing:
        common["timing"] = planned.timing
    elif planned.start:
        common["timing"] = {"repeat": {"boundsPeriod": span(planned.start, planned.end)}}
    if planned.as_needed:
        common["asNeededBoolean"] = True
    if segment is not None:
        _add_amounts(conversion, segment, common)
    if (
        "doseAndRate" not in common
        and planned.quantity is not None
        and (dose := quantity(conversion, planned.quantity))
    ):
        common["doseAndRate"] = [{"doseQuantity": dose}]
    routes = [found for rxr in routes_of(group, segment) if (found := route(conversion, rxr))]
    if not routes:
        return [common] if common else []
    return [{**common, **each} for each in routes]


def routes_of(group: OrderGroup, segment: Segment | None) -> list[Segment]:
    """The RXR after a segment, else all of the group."""
    found = [each for each in group.others if each.name == "RXR"]
    after = [each for each in found if segment is not None and each.index > segment.index]
    return after or found


def route(conversion: Conversion, rxr: Segment) -> Json:
    """`route`, `site` and `method` of an RXR."""
    found: Json = {}
    for field, name, table in ((1, "route", "0162"), (2, "site", "0163"), (4, "method", "0165")):
        if rxr.raw(field) and (concept := datatypes.codeable_concept(conversion, rxr.value(field), table)):
            found[name] = concept
    return found


def _add_amounts(conversion: Conversion, segment: Segment, found: Json) -> None:
    least, most, units = _AMOUNTS[segment.name]
    low, high = datatypes.decimal(segment.text(least)), datatypes.decimal(segment.text(most))
    unit = unit_of(conversion, segment, units)
    amount: Json = {}
    if low is not None and high is not None and low < high:
        amount["doseRange"] = {"low": {"value": low, **unit}, "high": {"value": high, **unit}}
    elif (value := low if low is not None else high) is not None:
        amount["doseQuantity"] = {"value": value, **unit}
    rate, rate_units = (23, 24) if segment.name == "RXE" else (15, 16) if segment.name == "RXG" else (21, 22)
    if (value := datatypes.decimal(segment.text(rate))) is not None:
        amount["rateQuantity"] = {"value": value, **unit_of(conversion, segment, rate_units)}
    if amount:
        coding = {"system": _TYPES, "code": "ordered", "display": "Ordered"}
        found["doseAndRate"] = [{"type": {"coding": [coding]}, **amount}]
    if segment.name == "RXE" and segment.raw(19) and (daily := quantity(conversion, segment.value(19))):
        day = {"value": 1, "unit": "day", "system": "http://unitsofmeasure.org", "code": "d"}
        found["maxDosePerPeriod"] = {"numerator": daily, "denominator": day}


def quantity_at(conversion: Conversion, segment: Segment, field: int, units: int) -> Json | None:
    """A Quantity of two fields, a number and its units."""
    number = datatypes.decimal(segment.text(field))
    return None if number is None else {"value": number, **unit_of(conversion, segment, units)}


def text_of(segment: Segment | None, field: int) -> str:
    """What the repetitions of a CWE say as text, a line each."""
    if segment is None or not segment.raw(field):
        return ""
    texts = (value.text(2) or value.text(9) or value.text(1) for value in segment.values(field))
    return "\n".join(text for text in texts if text)
