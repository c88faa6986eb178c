"""ADT messages: what happens to patients and their visits. HL7 v2.8.2 chapter 3."""

from __future__ import annotations

from collections.abc import Callable

from importers.hl7v2.conversion import Conversion
from importers.hl7v2.encounter import encounter
from importers.hl7v2.message_header import message_header
from importers.hl7v2.patient import patient


def adt(conversion: Conversion) -> None:
    """One patient, his visit, and what is told about both."""
    message_header(conversion)
    subject = patient(conversion)
    encounter(conversion, subject)


_ONE_VISIT = """
    A01 A02 A03 A04 A05 A06 A07 A08 A09 A10 A11 A12 A13 A14 A15 A16 A21 A22 A23 A25 A26 A27 A28 A29 A31 A32 A33
    A38 A52 A53 A54 A55 A60 A61 A62
"""
EVENTS: dict[str, Callable[[Conversion], None]] = dict.fromkeys(
    (f"ADT^{event}" for event in _ONE_VISIT.split()), adt
)
