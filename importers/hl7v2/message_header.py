"""MSH → MessageHeader. http://hl7.org/fhir/uv/v2mappings, map MSH[MessageHeader]."""

from __future__ import annotations

from importers.hl7v2 import identifiers
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Value
from resources.codec import Json

_EVENTS = "http://terminology.hl7.org/CodeSystem/v2-0003"


def message_header(conversion: Conversion) -> Draft:
    """The MessageHeader of a message; always new, since its draft's url is the message's own."""
    header = conversion.message.header
    event = conversion.message.event or conversion.message.type
    resource: Json = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": _EVENTS, "code": event},
        "source": _system(conversion, header.value(3), header.value(24)),
    }
    if sender := _facility(header.value(4)):
        resource["sender"] = sender
    if header.raw(5) or header.raw(6):
        destination = _system(conversion, header.value(5), header.value(25))
        if receiver := _facility(header.value(6)):
            destination["receiver"] = receiver
        resource["destination"] = [destination]
    return conversion.add(resource)


def _facility(facility: Value) -> Json | None:
    name = facility.text(1) or facility.text(2)
    return {"display": name} if name else None


def _system(conversion: Conversion, application: Value, address: Value) -> Json:
    """A source or destination: its endpoint is required, and derived from its name where there is no address."""
    name, universal = application.text(1), application.text(2)
    endpoint = (
        identifiers.universal_uri(address.text(2) or address.text(1), address.text(3))
        or identifiers.universal_uri(universal, application.text(3))
        or conversion.config.derived_uri("application", conversion.facility, name)
    )
    return {"name": name, "endpoint": endpoint} if name else {"endpoint": endpoint}
