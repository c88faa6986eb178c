"""Patients and their Observations, made up from a number alone: the same number gives the same resources.

`stored` gives them as the store keeps them, so that a million can be put into a database within minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fhir_server.search.index import search_document
from fhir_server.search.site import Site
from fhir_server.store.documents import document, stamped

Json = dict[str, Any]

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
EACH = 200
"""Observations of one patient"""

START = datetime(2020, 1, 1, tzinfo=UTC)
DAYS = 5 * 365

KINDS = [
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", "12.0", "16.0"),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", "4.0", "5.6"),
    ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", "70", "99"),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", "0.6", "1.2"),
    ("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L", "136", "145"),
    ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", "3.5", "5.1"),
    ("2075-0", "Chloride [Moles/volume] in Serum or Plasma", "mmol/L", "98", "107"),
    ("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", "mg/dL", "7", "20"),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", "4.5", "11.0"),
    ("789-8", "Erythrocytes [#/volume] in Blood by Automated count", "10*6/uL", "4.2", "5.9"),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL", "150", "400"),
    ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", "125", "200"),
    ("8867-4", "Heart rate", "/min", "60", "100"),
    ("8310-5", "Body temperature", "Cel", "36.1", "37.2"),
    ("29463-7", "Body weight", "kg", "50", "90"),
    ("9279-1", "Respiratory rate", "/min", "12", "20"),
]
VITAL = 12
"""From here on they are vital signs."""


def patients(count: int) -> Iterator[Json]:
    for n in range(count):
        yield {
            "resourceType": "Patient", "id": f"p{n}", "gender": ("female", "male")[n % 2],
            "identifier": [{"system": "urn:oid:1.2.36.146.595.217.0.1", "value": f"{n:06}"}],
            "name": [{"family": f"Family{n % 500}", "given": [f"Given{n % 89}", "Maria"]}],
            "birthDate": str((START - timedelta(days=365 * 20 + n * 3 % 25_000)).date()),
            "generalPractitioner": [{"reference": f"Practitioner/d{n % 100}"}],
        }  # fmt: skip


def observation(n: int, patients: int) -> Json:
    """The n-th laboratory result or vital sign, of patient n modulo `patients`."""
    code, display, unit, low, high = KINDS[_mixed(n) % len(KINDS)]
    kind = "laboratory" if _mixed(n) % len(KINDS) < VITAL else "vital-signs"
    taken = START + timedelta(days=_mixed(n + 1) % DAYS, seconds=_mixed(n + 2) % 86_400)
    value = Decimal(low) * (50 + _mixed(n + 3) % 150) / 100
    measured = {"unit": unit, "system": UCUM, "code": unit}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": kind, "display": kind.replace("-", " ").title()}]}],
        "code": {"coding": [{"system": LOINC, "code": code, "display": display}], "text": display.partition(" [")[0]},
        "subject": {"reference": f"Patient/p{n % patients}"},
        "encounter": {"reference": f"Encounter/e{n // 10}"},
        "effectiveDateTime": taken.isoformat(),
        "issued": (taken + timedelta(minutes=18)).isoformat(timespec="milliseconds"),
        "performer": [{"reference": "Organization/lab"}],
        "valueQuantity": {"value": value.quantize(Decimal("0.01")), **measured},
        "interpretation": [{"coding": [{"system": INTERPRETATION, "code": "N"}]}],
        "referenceRange": [{"low": {"value": Decimal(low), **measured}, "high": {"value": Decimal(high), **measured}}],
    }  # fmt: skip


def observations(first: int, last: int, patients: int) -> Iterator[Json]:
    """With ids in the order in which they were written, as the server's own are."""
    for n in range(first, last):
        yield {
            **observation(n, patients),
            "id": f"0199{n:012x}"[:8] + f"-{n & 0xFFFF:04x}-7000-8000-{n:012x}",
        }


def stored(resources: Iterator[Json], site: Site) -> Iterator[dict[str, Any]]:
    """Each as the document that a create of it would leave, a second after the one before."""
    for n, resource in enumerate(resources):
        moment = START + timedelta(days=DAYS, seconds=n)
        whole = stamped(resource, resource["id"], 1, moment)
        yield document(whole, search_document(whole, site), moment)


def _mixed(n: int) -> int:
    """Numbers without visible order. https://prng.di.unimi.it/splitmix64.c"""
    n = (n + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return n >> 16
