"""Practitioners, organizations and places that a message names: drafts to be pointed at, and references to them.

Who has a number is found by it. Who has only a name is a reference with a display: a name alone is nobody's identity.
"""

from __future__ import annotations

from importers.hl7v2 import identifiers
from importers.hl7v2.contact import practitioner_name
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Value
from importers.hl7v2.override import overridable
from resources.codec import Json

PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"

_LEVELS = ((4, "si"), (7, "bu"), (8, "lvl"), (1, "wa"), (2, "ro"), (3, "bd"))
"""Components of PL from the widest place to the narrowest, with their physical types."""


@overridable("XCN")
def practitioner(conversion: Conversion, value: Value) -> Json | None:
    """A Reference to the Practitioner that an XCN or CN names; None if it names nobody."""
    name = practitioner_name(conversion, value)
    display = shown(name) if name else ""
    number = value.text(1)
    if not number:
        return {"display": display} if display else None
    identifier = _identifier(conversion, number, value.text(13), value.component(9))
    resource: Json = {"resourceType": "Practitioner", "identifier": [identifier]}
    if name:
        resource["name"] = [name]
    draft = conversion.add(resource, match=(identifiers.token(identifier),), role="reference")
    reference = conversion.reference(draft)
    return {**reference, "display": display} if display else reference


def _identifier(conversion: Conversion, number: str, type_code: str, assigned_by: Value) -> Json:
    code = type_code.upper()
    system = identifiers.system(conversion, identifiers.authority(assigned_by), code)
    kind = {"type": identifiers.type_concept(conversion, code)} if code else {}
    return {**kind, "system": system, "value": number}


def shown(name: Json) -> str:
    """A HumanName as people write it."""
    parts = [*name.get("prefix", ()), *name.get("given", ()), name.get("family", ""), *name.get("suffix", ())]
    return " ".join(part for part in parts if part)


@overridable("XON")
def organization(conversion: Conversion, value: Value) -> Json | None:
    """A Reference to the Organization that an XON or ON names; None if it names none."""
    name, number = value.text(1), value.text(10) or value.text(3)
    if not number:
        return {"display": name} if name else None
    identifier = _identifier(conversion, number, value.text(7), value.component(6))
    resource: Json = {"resourceType": "Organization", "identifier": [identifier]}
    if name:
        resource["name"] = name
    draft = conversion.add(resource, match=(identifiers.token(identifier),), role="reference")
    reference = conversion.reference(draft)
    return {**reference, "display": name} if name else reference


@overridable("PL")
def location(conversion: Conversion, value: Value) -> Json | None:
    """A Reference to the narrowest place that a PL names; one Location, whose identifier has the whole path."""
    named = [(value.text(component), kind) for component, kind in _LEVELS]
    said = [(text, kind) for text, kind in named if text]
    description = value.text(9)
    if not said:
        return {"display": description} if description else None
    path = ["" if text is None else text for text, _ in named]
    identifier = {
        "system": conversion.config.derived_uri("location", conversion.facility),
        "value": "^".join(path),
    }
    display = " ".join(text for text, _ in said)
    resource: Json = {
        "resourceType": "Location",
        "identifier": [identifier],
        "name": display,
        "mode": "instance",
        "physicalType": {"coding": [{"system": PHYSICAL_TYPE, "code": said[-1][1]}]},
    }
    if description:
        resource["description"] = description
    draft = conversion.add(resource, match=(identifiers.token(identifier),), role="reference")
    return {**conversion.reference(draft), "display": display}
