"""The R4 constraints: what must hold between the elements of a resource beyond its structure.

Each constraint is compiled once; each type gets a walker that goes where constraints are, at first use.

http://hl7.org/fhir/R4/conformance-rules.html#constraints, http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from resources import definitions, registry
from resources.fhirpath import UNDECIDED, compile_test
from resources.fhirpath.expression import Environment, Test
from resources.fhirpath.model import WHOLE, type_of
from resources.fhirpath.values import Item
from resources.inside import inside
from resources.invariant_facts import CORRECTED, WORDS
from resources.outcome import Issue
from resources.registry import Element
from resources.trail import Trail, path_of

Json = dict[str, Any]

NATIVE = frozenset(
    {"ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1", "txt-1", "txt-2", "sqty-1", "mqty-1"}
)
"""Constraints that structural validation enforces by itself."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint of the standard; `expression` as it is evaluated, corrections included."""

    key: str
    severity: str
    expression: str

    def issue(self, path: str) -> Issue:
        expected = WORDS.get(self.key) or f"expected {self.expression}"
        return Issue(self.severity, "invariant", f"Constraint {self.key}: {expected}", (path,))


_Found = list[tuple[Constraint, Trail]]
_Rules = tuple[tuple[Test, Constraint], ...]
_Step = Callable[[Any, Trail, Environment, _Found], None]


def violations(resource: Json, *, extensions: bool = True) -> list[Issue]:
    """The constraints that a structurally valid resource breaks, each with the place of the element it is about.
    Without `extensions` anywhere inside, fewer places have to be looked at.

    Contained resources and those in Bundle.entry and Parameters are not entered: each is asked for itself. A
    constraint whose result is empty is not broken: partial dates and foreign units leave some undecided.
    """
    kind = type_of(resource)
    if kind == "Resource":
        return []
    found: _Found = []
    _walker(kind, extensions)(resource, (None, kind, None), Environment((kind, resource, None)), found)
    return [constraint.issue(path_of(trail)) for constraint, trail in found]


@cache
def constraints(where: str) -> tuple[Constraint, ...]:
    """The constraints defined on a type or an element path, without the `NATIVE` ones."""
    table: dict[str, list[dict[str, str]]] = definitions.read("invariants")
    return tuple(
        Constraint(each["key"], each["severity"], CORRECTED.get((where, each["key"]), each["expression"]))
        for each in table.get(where, ())
        if each["key"] not in NATIVE
    )


def _rules(where: str) -> _Rules:
    return tuple((_test(each.expression, where), each) for each in constraints(where))


def _test(expression: str, where: str) -> Test:
    test = compile_test(expression, where)[0]
    if "%context" not in expression:
        return test
    # What an evaluation remembers may depend on %context, which is another for each element.
    return lambda this, env: test(this, Environment(env.resource, this, env.root))


def _type_rules(kind: str) -> _Rules:
    lineage: list[str] = []
    current: str | None = kind
    while current is not None:
        lineage.append(current)
        current = registry.base(current)
    return tuple(rule for each in reversed(lineage) for rule in _rules(each))


def _element_rules(element: Element) -> _Rules:
    """The constraints on the place of an element, besides those of its type."""
    return () if element.path in element.types else _rules(element.path)


def _holds(test: Test, item: Item, env: Environment) -> bool:
    try:
        return test(item, env) is not False
    except UNDECIDED:
        return True  # what cannot be evaluated is not known to be broken


@cache
def _has_constraints(kind: str) -> bool:
    """Whether there may be a constraint on a value of the type or inside it, where it has no extensions."""
    return any(
        _type_rules(each) or any(map(_element_rules, registry.elements(each).values()))
        for each in inside(kind)
    )


@cache
def _walker(kind: str, extensions: bool) -> _Step:
    """Checks the constraints of a type on a value of it and enters its elements."""
    rules = _type_rules(kind)
    steps: dict[str, _Step] = {}
    ready = False

    def walk(value: Any, trail: Trail, env: Environment, found: _Found) -> None:
        nonlocal ready
        if not ready:  # at first use: types contain one another
            steps.update(_steps(kind, extensions))
            ready = True
        if not isinstance(value, dict):
            return  # malformed: structural validation tells
        if rules:
            item = (kind, value, None)
            for test, constraint in rules:
                if not _holds(test, item, env):
                    found.append((constraint, trail))
        for name in value:
            step = steps.get(name)
            if step is not None:
                step(value[name], trail, env, found)

    return walk


def _steps(kind: str, extensions: bool) -> Iterator[tuple[str, _Step]]:
    """What to do with each JSON member of a type that leads to constraints."""
    for element in registry.elements(kind).values():
        rules = _element_rules(element)
        for json_name, child in element.json_names.items():
            if child in WHOLE:
                continue
            if registry.is_primitive(child):
                if rules:
                    yield json_name, _enter(element, child, rules, None)
                if child != "xhtml" and extensions:
                    yield f"_{json_name}", _enter(element, child, (), _walker("Element", extensions))
            elif rules or extensions or _has_constraints(child):
                yield json_name, _enter(element, child, rules, _walker(child, extensions))


def _enter(element: Element, kind: str, rules: _Rules, walk: _Step | None) -> _Step:
    name = element.name

    def one(value: Any, above: Trail, env: Environment, found: _Found, at: int | None = None) -> None:
        trail = (above, name, at)
        for test, constraint in rules:
            if not _holds(test, (kind, value, None), env):
                found.append((constraint, trail))
        if walk is not None:
            walk(value, trail, env, found)

    def each(values: Any, above: Trail, env: Environment, found: _Found) -> None:
        for at, value in enumerate(values if isinstance(values, list) else ()):
            if value is not None:
                one(value, above, env, found, at)

    return one if element.max == 1 else each
