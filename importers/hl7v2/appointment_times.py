"""When an appointment is: TQ1, SCH-11 or the first resource that has a time. http://hl7.org/fhir/uv/v2mappings."""

from __future__ import annotations

from importers.hl7v2 import datatypes
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment, Value
from resources.codec import Json

CALLED_OFF = frozenset({"cancelled", "noshow"})
"""Status that have a reason (app-4)"""
_UNTIMED = frozenset({"proposed", "cancelled", "waitlist"})
"""Status of appointments that need no time, http://hl7.org/fhir/R4/appointment.html (app-3)"""


def of_message(conversion: Conversion, sch: Segment) -> tuple[str, str | None] | None:
    """Start and, where it is told, end, as instants."""
    for start, end in _candidates(conversion, sch):
        found = datatypes.instant(conversion, start) if start else None
        if found is not None:
            until = datatypes.instant(conversion, end) if end else None
            return found, until if until is not None and until >= found else None
    return None


def _candidates(conversion: Conversion, sch: Segment) -> list[tuple[Value, Value]]:
    message = conversion.message
    found = [(tq1.value(7), tq1.value(8)) for tq1 in message.all("TQ1")]
    nothing = sch.value(0).component(9)
    services = [(ais.value(4), nothing) for ais in message.all("AIS")]
    timed = sch.value(11)
    found.append((timed.component(4), timed.component(5)))
    for name, field in (("AIG", 8), ("AIL", 6), ("AIP", 6)):
        services += [(segment.value(field), nothing) for segment in message.all(name)]
    return found + services


def adjusted(stored: Json, merged: Json, told: Json, newer: bool) -> Json:
    """An appointment whose time was never told has a status that needs none; the one that was meant is a reason."""
    status = merged.get("status")
    if status not in CALLED_OFF and "cancelationReason" in merged:
        merged = {name: value for name, value in merged.items() if name != "cancelationReason"}
    if status in _UNTIMED or "start" in merged:
        return merged
    if status in ("noshow", "entered-in-error"):
        reason = {"text": "No-show" if status == "noshow" else "Entered in error"}
        return {**merged, "status": "cancelled", "cancelationReason": reason}
    return {**merged, "status": "proposed"}
