"""Status of results: OBX-11 and OBR-25 as Observation.status and DiagnosticReport.status, and which may follow which.

The official maps give no target for several codes, though FHIR requires a status; docs/hl7v2.md lists the choices made.

http://hl7.org/fhir/R4/valueset-observation-status.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from resources.codec import Json

OBSERVATION: Final = {
    "A": "amended",
    "B": "final",
    "C": "corrected",
    "D": "entered-in-error",
    "F": "final",
    "I": "registered",
    "N": "unknown",
    "O": "registered",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "U": "final",
    "V": "final",
    "W": "entered-in-error",
    "X": "cancelled",
}
"""Table 0085."""

REPORT: Final = {
    "A": "partial",
    "C": "corrected",
    "F": "final",
    "I": "registered",
    "M": "preliminary",
    "N": "registered",
    "O": "registered",
    "P": "preliminary",
    "R": "partial",
    "S": "registered",
    "U": "final",
    "V": "final",
    "X": "cancelled",
    "Y": "unknown",
    "Z": "unknown",
}
"""Table 0123."""

ONE_TO_ONE: Final = frozenset("ACFP")
"""Codes that their status says entirely; of others the code is kept beside it."""

_OPEN: Final = frozenset({"unknown", "registered", "partial", "preliminary"})
_CORRECTED: Final = frozenset({"amended", "corrected", "appended"})
_CLOSED: Final = _CORRECTED | {"final"}


def of_report(observations: Iterable[str]) -> str:
    """The status of a report whose OBR-25 is empty, from those of its observations."""
    found = set(observations)
    if not found or not found <= _CLOSED | {"preliminary", "registered", "cancelled", "entered-in-error"}:
        return "unknown"
    if found <= {"cancelled", "entered-in-error"}:
        return "entered-in-error" if found == {"entered-in-error"} else "cancelled"
    if found & {"preliminary", "registered"}:
        return "partial" if found & _CLOSED else min(found & {"preliminary", "registered"})
    return "corrected" if found & _CORRECTED else "final"


def settled(stored: Json, merged: Json, told: Json, newer: bool) -> Json:
    """What becomes of a stored result when it comes again; see `Draft.adjust`.

    A preliminary result that comes after the final one does not take its place. A final one that repeats what has
    been corrected says nothing new, and does not hide that there was a correction. What belongs to a value (flags,
    ranges, notes) goes with the value that it was about.
    """
    before, after = stored.get("status"), told.get("status")
    if before in _CLOSED and after in _OPEN:
        return stored
    if not newer or before is None:
        return merged
    if after != "entered-in-error":
        merged = {name: value for name, value in merged.items() if name in told or not _of_value(name)}
    if before in _CORRECTED and after == "final" and _said(stored) == _said(merged):
        merged = {**merged, "status": before}
    return merged


def _said(result: Json) -> Json:
    return {name: value for name, value in result.items() if _of_value(name)}


def _of_value(name: str) -> bool:
    return name in _ABOUT_VALUE or name.startswith("value")


_ABOUT_VALUE: Final = frozenset({"component", "dataAbsentReason", "interpretation", "referenceRange", "note"})
