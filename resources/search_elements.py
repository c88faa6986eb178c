"""What the definitions say of the elements that a search parameter is about: how many a resource has, of which types.

http://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from resources import registry
from resources.search_parameters import SearchParameter, alternatives

_PLAIN = re.compile(r"[A-Za-z]+(?:\.[A-Za-z]+)+")
_TARGET = re.compile(r"\.where\(resolve\(\) is [A-Za-z]+\)$")
_CAST = re.compile(r"\(([A-Za-z.]+) as ([A-Za-z]+)\)")


@cache
def holds_one(parameter: SearchParameter) -> bool:
    """Whether no resource of any type can have more than one element that the parameter is about."""
    return all(_is_single(parameter, base) for base in parameter.base)


@cache
def types(parameter: SearchParameter, resource_type: str) -> frozenset[str]:
    """The types its elements may have in a resource type; none where the expression is more than a path."""
    found: set[str] = set()
    for path, cast in _paths(parameter, resource_type):
        elements = list(_elements(path))
        if not elements or elements[-1] is None:
            return frozenset()
        found |= {cast} if cast else set(elements[-1].types)
    return frozenset(found)


def _is_single(parameter: SearchParameter, resource_type: str) -> bool:
    """Several paths count as one where they name the types of one element: it has only one of them at a time."""
    paths = {path for path, _ in _paths(parameter, resource_type)}
    if len(paths) != 1:
        return False
    return all(each is not None and not each.repeats for each in _elements(*paths))


def _paths(parameter: SearchParameter, resource_type: str) -> Iterator[tuple[str, str | None]]:
    """Each alternative as a path and the type it is cast to; a path that is more than that is empty."""
    for alternative in alternatives(parameter, resource_type):
        expression = _TARGET.sub("", alternative)
        cast = _CAST.fullmatch(expression)
        if cast:
            yield cast[1], cast[2]
        else:
            yield (expression if _PLAIN.fullmatch(expression) else ""), None


def _elements(path: str) -> Iterator[registry.Element | None]:
    owner, *steps = path.split(".")
    if not steps:
        yield None
    for step in steps:
        element = registry.element(owner, step)
        yield element
        if element is None:
            return
        owner = element.types[0]
