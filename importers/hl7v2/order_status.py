"""Status of orders: ORC-1, ORC-5 and OBR-25 as ServiceRequest.status or MedicationRequest.status.

The official map makes a cancelled and a held order active, and leaves RE and XO, which are most of all orders,
without a status. docs/hl7v2.md lists what is done instead.

http://hl7.org/fhir/R4/valueset-request-status.html
"""

from __future__ import annotations

from typing import Final

from importers.hl7v2.er7 import Segment
from resources.codec import Json

ENDING: Final = {
    "CA": "revoked",
    "CR": "revoked",
    "DC": "revoked",
    "DR": "revoked",
    "OC": "revoked",
    "OD": "revoked",
    "RP": "revoked",
    "RQ": "revoked",
    "RU": "revoked",
    "UA": "revoked",
    "HD": "on-hold",
    "HR": "on-hold",
    "OH": "on-hold",
    "DE": "entered-in-error",
}
"""Order controls (table 0119) that end or interrupt an order, whatever ORC-5 says."""

_ORDER: Final = {
    "A": "active",
    "CA": "revoked",
    "CM": "completed",
    "DC": "revoked",
    "ER": "entered-in-error",
    "HD": "on-hold",
    "IP": "active",
    "RP": "revoked",
    "SC": "active",
}
"""Table 0038, and A of its later versions."""

_RESULT: Final = {
    "A": "active",
    "C": "completed",
    "F": "completed",
    "FINAL": "completed",
    "I": "active",
    "O": "active",
    "P": "active",
    "R": "active",
    "S": "active",
    "X": "revoked",
}
"""Table 0123, which some senders write into ORC-5 as well."""


def status(orc: Segment | None, obr: Segment | None) -> str:
    """A status of http://hl7.org/fhir/request-status; `active` where nothing is said."""
    control = orc.text(1).upper() if orc is not None else ""
    if (ended := ENDING.get(control)) is not None:
        return ended
    said = orc.text(5).upper() if orc is not None else ""
    known = _ORDER.get(said) or _RESULT.get(said)
    if known is None and obr is not None:
        known = _RESULT.get(obr.text(25).upper())
    return known or "active"


def refers_to_earlier(orc: Segment | None) -> bool:
    """Whether ORC-1 changes an order that was sent before."""
    return orc is not None and orc.text(1).upper() not in ("", "NW", "SN", "RO", "CH")


def still_ended(stored: Json, merged: Json, told: Json, newer: bool) -> Json:
    """An order that has ended is not opened again by the message that placed it, which comes late; see Draft.adjust."""
    before = stored.get("status")
    return {**merged, "status": before} if before in _ENDED else merged


_ENDED: Final = frozenset({"completed", "revoked", "stopped", "cancelled", "entered-in-error"})
