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
from resources.plain_path import plain_path
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
    members: frozenset[str] | None
    """JSON members of which a resource has one if the expression has values; None if that cannot be told"""
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
        if contained.CONTAINED in resource and any(contained.is_referred(item) for _, item in items):
            as_its_own = partial(search_document, site=replace(site, table=TABLE))
            inside = list(contained.referred(items, resource, as_its_own))
            for code in branch.codes if inside else ():
                found.setdefault(f"{code}:{contained.CONTAINED}", []).extend(inside)


def _add(found: dict[str, Any], code: str, values: Sequence[Any]) -> None:
    """One value stays a value and only several become a list: two lists cannot share a compound index."""
    before = found.get(code)
    if before is not None:
        values = [*(before if isinstance(before, list) else [before]), *values]
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
    shared: dict[tuple[str, str], _Branch] = {}
    for parameter in (*parameters(resource_type).values(), *custom):
        if parameter.type == "composite":
            for expression in composite.stored(parameter, resource_type):
                shared[expression, parameter.code] = _Branch(
                    composite.extract(expression, resource_type),
                    composite.index(parameter, _index),
                    _members(expression, resource_type),
                    [parameter.code],
                    is_composite=True,
                )
            continue
        if parameter.type not in _INDEXES or parameter.code in _FIELDS_OF_THEIR_OWN:
            continue
        for expression in alternatives(parameter, resource_type):
            branch = _branch(parameter, expression, resource_type)
            shared.setdefault((expression, parameter.type), branch).codes.append(parameter.code)
    branches = list(shared.values())

    @cache
    def by_member(member: str) -> list[_Branch]:
        return [branch for branch in branches if branch.members is not None and member in branch.members]

    return [branch for branch in branches if branch.members is None], by_member


def _branch(parameter: SearchParameter, expression: str, resource_type: str) -> _Branch:
    index = _index(parameter, expression)
    plain = plain_path(expression, resource_type)
    if plain is not None:
        is_coded = index is token.index and plain.type in coded.TYPES
        return _Branch(plain.extract, index, frozenset({plain.member}), is_coded=is_coded)
    extract = compile_path(expression, resource_type)
    return _Branch(extract, index, _members(expression, resource_type), is_coded=index is token.index)


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


def _members(expression: str, resource_type: str) -> frozenset[str] | None:
    """The JSON members of the element without which the expression has no value; None if that cannot be told."""
    match = _PATH.match(expression)
    if match is None or " and " in expression or " or " in expression or "exists()" in expression:
        return None
    element = registry.element(resource_type, match[2])
    return None if element is None else frozenset(element.json_names)
