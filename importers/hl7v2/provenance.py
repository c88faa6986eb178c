"""Where the resources of a message come from: one Provenance and one MessageHeader in the transaction that writes them.

The stored raw message is named by the id of its row in the feed, as identifier of the system `MESSAGE_SYSTEM`:
`GET [base]/$feed-message?id=` gives it to who may see it. It is no resource of its own, so that whoever may search
does not find raw messages, and a message is not stored twice.

http://hl7.org/fhir/R4/provenance.html, http://hl7.org/fhir/R4/messageheader.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.er7 import Message
from importers.hl7v2.identifiers import universal_uri
from importers.hl7v2.process import MESSAGE_SYSTEM, SENDER_SYSTEM
from importers.hl7v2.reconcile import entry_reference
from importers.hl7v2.rows import Row
from resources.codec import Json

_EVENTS = "http://terminology.hl7.org/CodeSystem/v2-0003"
_ROLES = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_NOT_IN_FOCUS = {"Observation", "Specimen", "Practitioner", "Organization", "Location", "PractitionerRole"}
"""What other resources of the message lead to"""


def origin(
    message: Message, config: FeedConfig, row: Row, entries: Sequence[Json], now: datetime
) -> list[Json]:
    """What goes along with the entries of a transaction."""
    written = [entry_reference(entry) for entry in entries]
    types = [entry["resource"]["resourceType"] for entry in entries]
    focus = [each for each, kind in zip(written, types, strict=True) if kind not in _NOT_IN_FOCUS]
    return [
        {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}
        for resource in (_header(message, config, focus), provenance(message, row, written, now))
    ]


def provenance(message: Message, row: Row, written: Iterable[str], now: datetime) -> Json:
    """Says of each resource that this message made it what it is."""
    who: Json = {"display": row.sender or "unknown sender"}
    if row.sender:
        who["identifier"] = {"system": SENDER_SYSTEM, "value": row.sender}
    named = f"HL7 v2 {row.type}, MSH-10 {message.control_id}".strip()
    source = {"identifier": {"system": MESSAGE_SYSTEM, "value": row.id}, "display": named}
    made: Json = {
        "resourceType": "Provenance",
        "target": [{"reference": each} for each in written],
        "recorded": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent": [{"type": {"coding": [{"system": _ROLES, "code": "author"}]}, "who": who}],
        "entity": [{"role": "source", "what": source}],
    }
    if message.event:
        made["activity"] = {"coding": [{"system": _EVENTS, "code": message.event}]}
    return made


def _header(message: Message, config: FeedConfig, focus: Sequence[str]) -> Json:
    source: Json = {"endpoint": _endpoint(message, config, 3)}
    if message.sending_application:
        source["name"] = message.sending_application
    made: Json = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": _EVENTS, "code": message.event or message.type},
        "source": source,
    }
    if message.receiving_application or message.receiving_facility:
        destination = {"endpoint": _endpoint(message, config, 5)}
        if message.receiving_application:
            destination["name"] = message.receiving_application
        made["destination"] = [destination]
    if focus:
        made["focus"] = [{"reference": each} for each in focus]
    return made


def _endpoint(message: Message, config: FeedConfig, field: int) -> str:
    """MSH-3 or MSH-5 as a URI: its universal id, else one derived from the names of application and facility."""
    told = message.header.value(field)
    if told and told.text(2):
        uri = universal_uri(told.text(2), told.text(3))
        if uri is not None:
            return uri
    application, facility = message.header.text(field), message.header.text(field + 1)
    return config.derived_uri("application", facility, application)
