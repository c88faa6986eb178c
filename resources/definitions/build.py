"""Makes the fact tables from the official package, npm `hl7.fhir.r4.examples` 4.0.1 (CC0-1.0).

    python -m resources.definitions.build hl7.fhir.r4.examples-4.0.1.tgz [FOLDER]

Despite its name the package holds all of R4. The same package gives the same bytes. Without FOLDER the tables beside
this file are written.
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resources.definitions import concepts, searching, structures, terminology

Json = dict[str, Any]

_KINDS = ("StructureDefinition", "ValueSet", "CodeSystem", "SearchParameter", "CompartmentDefinition")


def tables(package: Path) -> dict[str, Any]:
    """The fact tables of a package by name; raises `tarfile.TarError` or `OSError` if it cannot be read."""
    by_kind: dict[str, list[Json]] = {kind: [] for kind in _KINDS}
    for resource in _resources(package):
        by_kind[resource["resourceType"]].append(resource)
    facts, invariants = structures.tables(by_kind["StructureDefinition"])
    bound = terminology.bound_value_sets(facts)
    return {
        "structures": facts,
        "invariants": invariants,
        "required_bindings": terminology.table(bound, by_kind["ValueSet"], by_kind["CodeSystem"]),
        "value_sets": concepts.value_sets(bound, by_kind["ValueSet"], by_kind["CodeSystem"]),
        "hierarchies": concepts.hierarchies(by_kind["CodeSystem"]),
        "search_parameters": searching.search_parameters(by_kind["SearchParameter"]),
        "compartments": searching.compartments(by_kind["CompartmentDefinition"]),
    }


def text(table: Any) -> str:
    """A table as it is committed."""
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"))


def _resources(package: Path) -> Iterator[Json]:
    with tarfile.open(package) as archive:
        names = (each for each in archive.getnames() if Path(each).name.partition("-")[0] in _KINDS)
        for name in sorted(names):
            if (member := archive.extractfile(name)) is not None:
                yield json.load(member)


def main(arguments: list[str]) -> None:
    package, *folder = arguments
    target = Path(folder[0]) if folder else Path(__file__).parent
    for name, table in tables(Path(package)).items():
        (target / f"{name}.json").write_text(text(table), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
