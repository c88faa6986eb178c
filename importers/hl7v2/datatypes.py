"""Data types of HL7 v2 as data types of FHIR: each function takes a Value and gives an element, or None.

Who and what is a resource of its own, practitioners, organizations and places, is in `actors`.
"""

from __future__ import annotations

from importers.hl7v2.contact import (
    address,
    contact_point,
    contact_points,
    human_name,
    human_names,
    practitioner_name,
)
from importers.hl7v2.elements import (
    EXTENSION,
    as_text,
    birth_date,
    codeable_concept,
    coded,
    codings_at,
    date,
    date_time,
    decimal,
    instant,
    period,
    unit,
)
from importers.hl7v2.identifiers import entity as entity_identifier
from importers.hl7v2.identifiers import identifier

__all__ = [
    "EXTENSION",
    "address",
    "as_text",
    "birth_date",
    "codeable_concept",
    "coded",
    "codings_at",
    "contact_point",
    "contact_points",
    "date",
    "date_time",
    "decimal",
    "entity_identifier",
    "human_name",
    "human_names",
    "identifier",
    "instant",
    "period",
    "practitioner_name",
    "unit",
]
