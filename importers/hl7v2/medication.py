"""What is given: the code alone, or a Medication where components (RXC), a lot or a maker are told.

http://hl7.org/fhir/R4/medication.html
"""

from __future__ import annotations

from importers.hl7v2 import datatypes
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.dosage import quantity_at
from importers.hl7v2.er7 import Segment
from importers.hl7v2.order_group import OrderGroup
from resources.codec import Json

_FORM = {"RXO": 5, "RXE": 6, "RXG": 8, "RXD": 6, "RXA": 8}
_LOT = {"RXD": (18, 19, 20), "RXA": (15, 16, 17), "RXG": (19, 20, 21)}
"""Fields of lot number, expiration and maker"""


def medication_of(
    conversion: Conversion, group: OrderGroup, concept: Json, match: tuple[str, ...], segment: Segment | None
) -> Json:
    """`medicationCodeableConcept`, or `medicationReference` to a Medication known as its request is (`match`)."""
    parts = [part for rxc in components(group, segment) if (part := _ingredient(conversion, rxc)) is not None]
    batch = _batch(conversion, segment)
    if not parts and not batch:
        return {"medicationCodeableConcept": concept}
    resource: Json = {"resourceType": "Medication"}
    if match:
        value = match[0].rpartition("|")[2]
        own = {"system": conversion.config.derived_uri("medication"), "value": value}
        resource["identifier"] = [own]
        match = (f"identifier={own['system']}|{value}",)
    resource["code"] = concept
    form = _FORM.get(segment.name) if segment is not None else None
    if (
        form is not None
        and segment is not None
        and (kind := datatypes.codeable_concept(conversion, segment.value(form)))
    ):
        resource["form"] = kind
    if parts:
        resource["ingredient"] = parts
    resource |= batch
    return {"medicationReference": conversion.reference(conversion.add(resource, match))}


def components(group: OrderGroup, segment: Segment | None) -> list[Segment]:
    """The RXC after a segment, else all of the group."""
    found = [each for each in group.others if each.name == "RXC"]
    after = [each for each in found if segment is not None and each.index > segment.index]
    return after or found


def _ingredient(conversion: Conversion, rxc: Segment) -> Json | None:
    concept = datatypes.codeable_concept(conversion, rxc.value(2))
    if concept is None:
        return None
    found: Json = {"itemCodeableConcept": concept}
    if rxc.text(1):
        found["isActive"] = rxc.text(1) == "A"
    amount = quantity_at(conversion, rxc, 3, 4)
    if amount is not None:
        found["strength"] = {"numerator": amount, "denominator": {"value": 1}}
    return found


def _batch(conversion: Conversion, segment: Segment | None) -> Json:
    if segment is None or segment.name not in _LOT:
        return {}
    lot, expires, maker = _LOT[segment.name]
    batch: Json = {}
    if segment.text(lot):
        batch["lotNumber"] = segment.text(lot)
    if segment.raw(expires) and (end := datatypes.date_time(conversion, segment.value(expires))):
        batch["expirationDate"] = end
    found: Json = {"batch": batch} if batch else {}
    if name := segment.text(maker, 2) or segment.text(maker):
        found["manufacturer"] = {"display": name}
    return found
