"""Composite parameters: values of several parameters that belong to the same repetition of an element.

Stored as a list with a document for each repetition, `{a: …, b: …}`, that has the values of the first component under
`a`, of the second under `b`. What has the whole resource as its element (`code-value-quantity`) is not stored: there
is one repetition, so it is asked of the values of its components' own parameters.

http://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fhir_server.search import reference
from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import split_dollar
from resources import outcome
from resources.fhirpath import compile_path
from resources.search_parameters import Component, SearchParameter, all_parameters, alternatives, parameters

Index = Callable[[str, Any, Site], Sequence[Any]]
MODIFIERS: tuple[str, ...] = ()

Ask = Callable[[Clause], Condition]
Extract = Callable[[dict[str, Any]], Sequence[tuple[str, Any]]]

_PLACES = "abc"
_AS = re.compile(r"(\w+)\.as\((\w+)\)")

_TELLING = {"SampledData": "s.value-quantity.sampled", "CodeableConcept": "s.value-concept"}
"""A parameter may be about more types than the composite: what is stored where the value is of one of those."""


@dataclass(frozen=True, slots=True)
class _Part(Clause):
    """One value for one component; `composite` is the name of the whole, `at` the field that is asked."""

    composite: str
    at: str

    @property
    def name(self) -> str:
        return self.composite

    @property
    def field(self) -> str:
        return self.at


@cache
def _definitions() -> Mapping[str, SearchParameter]:
    return {each.url: each for each in all_parameters()}


def _definition(parameter: SearchParameter, component: Component) -> SearchParameter:
    """The parameter that a component is one of: the one with its expression, if the composite names one.

    R4 has those of DocumentReference's `relationship` the wrong way round.
    """
    definitions = [_definitions()[each.definition] for each in parameter.component]
    wanted = f"{parameter.expression}.{component.expression}"
    fitting = [each for each in definitions if each.expression == wanted]
    return fitting[0] if fitting else _definitions()[component.definition]


def _elements(parameter: SearchParameter, resource_type: str) -> tuple[bool, list[str]]:
    """Whether the whole resource is one of the composite's elements, and the others."""
    found = list(alternatives(parameter, resource_type))
    return resource_type in found, [each for each in found if each != resource_type]


def stored(parameter: SearchParameter, resource_type: str) -> list[str]:
    """The expressions of the elements whose values are stored for the parameter."""
    return _elements(parameter, resource_type)[1]


def extract(expression: str, resource_type: str) -> Extract:
    """The elements of a resource, each with the resource, which a component may look at."""
    path = compile_path(expression, resource_type)
    return lambda resource: [(kind, (element, resource)) for kind, element in path(resource)]


def index(parameter: SearchParameter, index_of: Callable[[SearchParameter, str], Index]) -> Index:
    """What gives the document of one repetition, if all of its components have values."""

    @cache
    def components(kind: str) -> list[tuple[str, Any, Index]]:
        found = []
        for place, component in zip(_PLACES, parameter.component, strict=False):
            expression = component.expression
            definition = _definition(parameter, component)
            found.append(
                (place, compile_path(expression, kind), index_of(definition, f"{kind}.{expression}"))
            )
        return found

    def index_repetition(kind: str, item: Any, site: Site) -> list[dict[str, Any]]:
        element, resource = item
        document: dict[str, Any] = {}
        for place, path, index_value in components(kind):
            items = path(element, resource)
            values = [value for name, each in items for value in index_value(name, each, site)]
            if index_value is reference.index:
                for name, each in items:
                    for more, further in reference.further(name, each, site).items():
                        document[f"{place}:{more}"] = further
            elif not values:
                return []
            if values:
                document[place] = values if len(values) > 1 else values[0]
        return [document]

    return index_repetition


def condition(clause: Clause, ask: Ask) -> Condition:
    """Documents with a repetition that meets all parts of one of the clause's values; `ask` is that of a component."""
    options = [option for value in clause.values for option in _options(clause, value, ask)]
    return options[0] if len(options) == 1 else {"$or": options}


def missing(clause: Clause, *, absent: bool) -> Condition:
    """http://hl7.org/fhir/R4/search.html#modifiers: there is no repetition that has all components."""
    resource_type = clause.parameter.base[0]
    whole, others = _elements(clause.parameter, resource_type)
    present: list[Condition] = [{clause.field: {"$exists": True}}] if others else []
    if whole:
        fields = _fields(clause.parameter, resource_type)
        present.append({"$and": [{"$and": [{field: {"$exists": True}}, *more]} for _, field, more in fields]})
    return {"$nor": present} if absent else {"$or": present}


def _options(clause: Clause, value: str, ask: Ask) -> Iterator[Condition]:
    parts = split_dollar(value)
    components = clause.parameter.component
    if len(parts) != len(components) or not all(parts):
        names = "$".join(_definition(clause.parameter, each).code for each in components)
        raise outcome.bad_parameter(
            clause.name, f"'{value[:64]}' has not {len(components)} values separated by '$', as {names}"
        )

    def asked(definition: SearchParameter, part: str, at: str) -> Condition:
        return ask(_Part(definition, None, (part,), clause.name, at))

    resource_type = clause.parameter.base[0]
    whole, others = _elements(clause.parameter, resource_type)
    if whole:
        fields = _fields(clause.parameter, resource_type)
        conditions = [
            each
            for part, (parameter, field, more) in zip(parts, fields, strict=True)
            for each in (asked(parameter, part, field), *more)
        ]
        yield {"$and": conditions}
    if others:
        definitions = [_definition(clause.parameter, each) for each in components]
        inside = [
            asked(definition, part, place)
            for definition, part, place in zip(definitions, parts, _PLACES, strict=False)
        ]
        yield {clause.field: {"$elemMatch": {"$and": inside}}}


@cache
def _fields(
    parameter: SearchParameter, resource_type: str
) -> list[tuple[SearchParameter, str, tuple[Condition, ...]]]:
    """For each component of a whole resource its own parameter, field, and what tells that the type is right."""
    return [_field(each, resource_type) for each in parameter.component]


def _field(component: Component, resource_type: str) -> tuple[SearchParameter, str, tuple[Condition, ...]]:
    wanted = {_absolute(each, resource_type) for each in component.expression.split(" | ")}
    kind = _definitions()[component.definition].type
    found: list[tuple[int, str, SearchParameter, set[str]]] = []
    for each in parameters(resource_type).values():
        known = set(alternatives(each, resource_type)) if each.type == kind else set()
        if wanted <= known:
            found.append((len(known), each.code, each, known - wanted))
    _, code, definition, more = min(found)
    types = [name for name in _TELLING if any(f" as {name})" in each for each in more)]
    return definition, f"s.{code}", tuple({_TELLING[name]: {"$exists": False}} for name in types)


def _absolute(expression: str, resource_type: str) -> str:
    """`value.as(Quantity)` as other parameters write it: `(Observation.value as Quantity)`."""
    typed = _AS.fullmatch(expression)
    if typed is None:
        return f"{resource_type}.{expression}"
    name = "dateTime" if typed[2] == "DateTime" else typed[2]
    return f"({resource_type}.{typed[1]} as {name})"
