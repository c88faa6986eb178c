"""How long the invariants take: medians in microseconds, printed and never asserted.

python -m tests.bench.bench_invariants
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from resources.fhirpath import compile_path
from resources.invariants import violations
from resources.search_parameters import parameters

UCUM = "http://unitsofmeasure.org"


def quantity(value: int) -> dict[str, Any]:
    return {"value": value, "unit": "g/dL", "system": UCUM, "code": "g/dL"}


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": code}], "text": code}


OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "hb",
    "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"]},
    "identifier": [{"system": "urn:oid:1.2.3", "value": "A-1"}],
    "status": "final",
    "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")],
    "code": concept("http://loinc.org", "718-7"),
    "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "Encounter/e1"},
    "effectiveDateTime": "2024-05-01T10:00:00+02:00",
    "issued": "2024-05-01T10:20:00+02:00",
    "performer": [{"reference": "Organization/lab"}],
    "valueQuantity": quantity(13),
    "interpretation": [concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "N")],
    "referenceRange": [{"low": quantity(12), "high": quantity(16)}],
}


def bundle(size: int) -> dict[str, Any]:
    entries = [
        {
            "fullUrl": f"urn:uuid:{at}",
            "resource": OBSERVATION,
            "request": {"method": "POST", "url": "Observation"},
        }
        for at in range(size)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def extended(size: int) -> dict[str, Any]:
    extension = {"url": "urn:x", "valuePeriod": {"start": "2020", "end": "2021"}}
    return {"resourceType": "Patient", "extension": [extension] * size}


def median(work: Callable[[], object], repetitions: int) -> float:
    times: list[float] = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def main() -> None:
    violations(OBSERVATION)
    print(f"invariants of a lab Observation: {median(lambda: violations(OBSERVATION), 2000):.1f} µs")
    for size in (1000, 2000, 4000, 5000):
        taken = median(partial(violations, bundle(size)), 5)
        print(f"invariants of a Bundle of {size} entries: {taken:.0f} µs")
    for size in (1000, 10000):
        taken = median(partial(violations, extended(size)), 5)
        print(f"invariants of a Patient with {size} extensions: {taken:.0f} µs")
    paths = [
        compile_path(each.expression, "Observation")
        for each in parameters("Observation").values()
        if each.expression
    ]
    for path in paths:
        path(OBSERVATION)
    print(
        f"all {len(paths)} search expressions of an Observation: "
        f"{median(lambda: [path(OBSERVATION) for path in paths], 1000):.1f} µs"
    )


if __name__ == "__main__":
    main()
