"""The search parameters of R4 and US Core, by resource type and code; read once from the compiled definitions.

Of US Core those count that R4 has not: race, ethnicity and a few more.

http://hl7.org/fhir/R4/searchparameter-registry.html, http://hl7.org/fhir/us/core/searchparameters.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from resources import definitions, registry


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a composite parameter: `definition` is the URL of the parameter it is made of."""

    definition: str
    expression: str


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A SearchParameter's facts: `base` and `target` are resource types, `expression` FHIRPath or None
    (parameters that no element answers: `_text`, `_query`).

    http://hl7.org/fhir/R4/searchparameter.html
    """

    code: str
    url: str
    type: str
    base: tuple[str, ...]
    expression: str | None = None
    target: tuple[str, ...] = ()
    component: tuple[Component, ...] = ()
    comparator: tuple[str, ...] = ()
    multiple_or: bool = True
    generation: int = 0
    """Since which change of a server's own parameters it is as it is; 0 is built in"""


def _parse(row: Mapping[str, Any]) -> SearchParameter:
    return SearchParameter(
        code=row["code"],
        url=row["url"],
        type=row["type"],
        base=tuple(row["base"]),
        expression=row.get("expression"),
        target=tuple(row.get("target", ())),
        component=tuple(Component(**part) for part in row.get("component", ())),
        comparator=tuple(row.get("comparator", ())),
        multiple_or=row.get("multipleOr", True),
    )


@cache
def all_parameters() -> tuple[SearchParameter, ...]:
    """Every search parameter of R4, in the order of the definitions."""
    return tuple(_parse(row) for row in definitions.read("search_parameters"))


@cache
def us_core_parameters() -> tuple[SearchParameter, ...]:
    """Every search parameter of US Core 6.1 and 8.0, those that R4 has as well included."""
    return tuple(_parse(row) for row in definitions.read("us_core_search_parameters"))


_PIECE = re.compile(r"'(?:[^'\\]|\\.)*'|`[^`]*`|\s*\|\s*|[()]|.", re.DOTALL)
_EXTENSION = re.compile(r"\.extension\('[^']+'\)$")
"""Means the extension's value: the extension itself has nothing to search."""

_OWNER = re.compile(r"\(?([A-Z][A-Za-z]+)\b")


def alternatives(parameter: SearchParameter, resource_type: str) -> Iterator[str]:
    """The parts of a union that speak of the type: `(Group.x as T)` and `Resource.y`, but not `Groups.z`."""
    for part in _union(parameter.expression or ""):
        match = _OWNER.match(part)
        if match is None or match[1] in {resource_type, "Resource", "DomainResource"}:
            yield f"{part}.value" if _EXTENSION.search(part) else part


@cache
def _union(expression: str) -> tuple[str, ...]:
    """The parts between the bars that stand in no parentheses and no text."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(expression):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece.strip() == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return tuple(part.strip() for part in parts if part.strip())


@cache
def _by_base() -> Mapping[str, Mapping[str, SearchParameter]]:
    bases: dict[str, dict[str, SearchParameter]] = {}
    for parameter in all_parameters():
        for base in parameter.base:
            bases.setdefault(base, {})[parameter.code] = parameter
    for parameter in us_core_parameters():
        for base in parameter.base:
            if not any(parameter.code in bases.get(each, ()) for each in (*_ancestors(base), base)):
                bases.setdefault(base, {})[parameter.code] = parameter
    return bases


def _ancestors(resource_type: str) -> list[str]:
    return [name for name in ("Resource", "DomainResource") if registry.is_a(resource_type, name)]


@cache
def parameters(resource_type: str) -> Mapping[str, SearchParameter]:
    """The parameters of a resource type by code, those of Resource and DomainResource included."""
    bases = _by_base()
    found: dict[str, SearchParameter] = {}
    for base in (*_ancestors(resource_type), resource_type):
        found |= bases.get(base, {})
    return MappingProxyType(dict(sorted(found.items())))
