"""The search values of a resource: every search parameter of its type, extracted in one pass over its members.

http://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from typing import Any

from capability.table import TABLE
from fhir_server.search import (
    coded,
    composite,
    contained,
    date,
    near,
    number,
    quantity,
    reference,
    string,
    text,
    token,
    uri,
)
from fhir_server.search.site import Site
from resources import registry
from resources.fhirpath import compile_path
from resources.search_parameters import SearchParameter, alternatives, parameters

Index = Callable[[str, Any, Site], Sequence[Any]]
Extract = Callable[[dict[str, Any]], Sequence[tuple[str, Any]]]

_INDEXES: dict[str, Index] = {
    "date": date.index,
    "number": number.index,
    "quantity": quantity.index,
    "reference": reference.index,
    "special": near.index,
    "string": string.index,
    "token": token.index,
    "uri": uri.index,
}

_FIELDS_OF_THEIR_OWN = frozenset({"_id", "_lastUpdated"})
"""Parameters answered by the stored document's `_id` and `t`."""

GENERATION = "_g"
"""Beside the search values of a stored resource: by which generation of parameters they were made"""

_PATH = re.compile(r"\(?([A-Za-z]+)\.([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class _Branch:
    """One alternative of an expression, for all parameters of one type that share it."""

    extract: Extract
    index: Index
    codes: list[str] = field(default_factory=list)
    is_composite: bool = False
    is_coded: bool = False


def search_document(resource: dict[str, Any], site: Site) -> dict[str, Any]:
    """The search sub-document: code → the value, or the list of values, a resource is found by.

    A parameter whose elements are there but have nothing that could be searched is null: it is not `:missing`.
    """
    kind = resource["resourceType"]
    always, by_member = _branches(kind, site.table.custom_of(kind))
    found: dict[str, Any] = {}
    for branch in always:
        _run(branch, resource, site, found)
    for member in resource:
        for branch in by_member(member):
            _run(branch, resource, site, found)
    if "text" in resource and (words := text.words(resource)):
        found["_text"] = words
    return found


def _run(branch: _Branch, resource: dict[str, Any], site: Site, found: dict[str, Any]) -> None:
    items = branch.extract(resource)
    if not items:
        return
    index = branch.index
    if len(items) == 1:
        values = index(*items[0], site)
    else:
        values = [value for kind, item in items for value in index(kind, item, site)]
    if branch.is_composite:
        if values:
            found.setdefault(branch.codes[0], []).extend(values)
        return
    for code in branch.codes:
        _add(found, code, values)
    if branch.is_coded:
        more: dict[str, list[str]] = {}
        for kind, item in items:
            coded.further(kind, item, more)
        for name, texts in more.items():
            for code in branch.codes:
                _add(found, f"{code}:{name}", texts)
    elif index is reference.index:
        for kind, item in items:
            for name, further in reference.further(kind, item, site).items():
                for code in branch.codes:
                    _add(found, f"{code}:{name}", further)
        if contained.CONTAINED in resource:
            as_its_own = partial(search_document, site=replace(site, table=TABLE))
            inside = list(contained.referred(items, resource, as_its_own))
            for code in branch.codes if inside else ():
                found.setdefault(f"{code}:{contained.CONTAINED}", []).extend(inside)


def _add(found: dict[str, Any], code: str, values: Sequence[Any]) -> None:
    """One value stays a value and only several become a list: two lists cannot share a compound index."""
    if found.get(code) is not None:
        present = found[code] if isinstance(found[code], list) else [found[code]]
        values = [*present, *values]
    if len(values) > 1:
        values = _distinct(values)
    found[code] = None if not values else values[0] if len(values) == 1 else values


def _distinct(values: Sequence[Any]) -> list[Any]:
    if isinstance(values[0], dict):
        return [value for place, value in enumerate(values) if value not in values[:place]]
    return list(dict.fromkeys(values))


@lru_cache(maxsize=1024)
def _branches(
    resource_type: str, custom: tuple[SearchParameter, ...]
) -> tuple[list[_Branch], Callable[[str], list[_Branch]]]:
    """The branches that are always run, and those to run when a resource has a member of that JSON name."""
    by_step: dict[str | None, dict[tuple[str, str], _Branch]] = {}
    for parameter in (*parameters(resource_type).values(), *custom):
        if parameter.type == "composite":
            for expression in composite.stored(parameter, resource_type):
                repetition = _Branch(
                    composite.extract(expression, resource_type),
                    composite.index(parameter, _index),
                    [parameter.code],
                    is_composite=True,
                )
                shared = by_step.setdefault(_first_step(expression, resource_type), {})
                shared[expression, parameter.code] = repetition
            continue
        if parameter.type not in _INDEXES or parameter.code in _FIELDS_OF_THEIR_OWN:
            continue
        for expression in alternatives(parameter, resource_type):
            shared = by_step.setdefault(_first_step(expression, resource_type), {})
            extract = compile_path(expression, resource_type)
            index = _index(parameter, expression)
            branch = _Branch(extract, index, is_coded=index is token.index)
            shared.setdefault((expression, parameter.type), branch).codes.append(parameter.code)
    always = list(by_step.pop(None, {}).values())
    steps = {step: list(shared.values()) for step, shared in by_step.items() if step is not None}

    @cache
    def by_member(member: str) -> list[_Branch]:
        """`valueQuantity` is a member of the element `value`."""
        return [branch for step, shared in steps.items() if _is_of(member, step) for branch in shared]

    return always, by_member


def _is_of(member: str, step: str) -> bool:
    return member == step or (member.startswith(step) and member[len(step)].isupper())


def _index(parameter: SearchParameter, expression: str) -> Index:
    if parameter.code == "_source":
        return uri.index_source
    if parameter.type == "token" and token.ignores_case(parameter):
        return token.index_without_case
    system_of = _system_of(expression) if parameter.type == "token" else None
    return _INDEXES[parameter.type] if system_of is None else token.index_of_codes(system_of)


def _system_of(expression: str) -> Callable[[str], str | None] | None:
    """What tells a code's system, where the expression leads to an element of type code with a required binding."""
    type_name, *steps = expression.split(".")
    element = None
    for step in steps:
        element = registry.element(type_name, step)
        if element is None or len(element.types) != 1:
            return None
        type_name = element.types[0]
    if element is None or type_name != "code" or element.binding is None:
        return None
    by_system = registry.systems(element.binding) or {}
    known = {code: system for system, codes in by_system.items() for code in codes or ()}
    whole = [system for system, codes in by_system.items() if codes is None]
    return lambda code: known.get(code) or (whole[0] if len(whole) == 1 else None)


def _first_step(expression: str, resource_type: str) -> str | None:
    """The element without which the expression has no value; None if that cannot be told."""
    match = _PATH.match(expression)
    if match is None or " and " in expression or " or " in expression or "exists()" in expression:
        return None
    return match[2]
