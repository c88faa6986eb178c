"""Paths of element names and nothing else, read straight from JSON: most search parameters are no more than that.

http://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from resources import registry
from resources.fhirpath import model
from resources.fhirpath.values import SYSTEM

Values = list[tuple[str, Any]]

_PLAIN = re.compile(r"([A-Z]\w*)((?:\.[a-z]\w*)+)|\(([A-Z]\w*)((?:\.[a-z]\w*)+) as (\w+)\)")


@dataclass(frozen=True, slots=True)
class PlainPath:
    """`Patient.name.family`, `(Observation.value as Quantity)`.

    `extract` gives what `fhirpath.compile_path` gives, the values as (type, JSON value); `member` is the JSON member of
    the resource without which there are none, `type` that of all values.
    """

    extract: Callable[[dict[str, Any]], Values]
    member: str
    type: str


def plain_path(expression: str, resource_type: str) -> PlainPath | None:
    """The path that an expression is for resources of a type; None if it is more, or leads to values of several types."""
    match = _PLAIN.fullmatch(expression)
    if match is None or not registry.is_a(resource_type, match[1] or match[3]):
        return None
    *names, last = (match[2] or match[4])[1:].split(".")
    kind, steps = resource_type, []
    for name in names:
        step = _only(model.steps(kind, name))
        if step is None or step.sibling is not None:
            return None
        steps.append(step)
        kind = step.type
    step = _only(
        [each for each in model.steps(kind, last) if match[5] is None or model.is_a(each.type, match[5])]
    )
    if step is None:
        return None
    steps.append(step)
    return PlainPath(_one(step) if len(steps) == 1 else _chain(steps), steps[0].json_name, step.type)


def _only(steps: Any) -> model.Step | None:
    """The step, if there is only one and the definitions tell its type."""
    return steps[0] if len(steps) == 1 and not _is_open(steps[0].type) else None


def _is_open(type_name: str) -> bool:
    return type_name in model.WHOLE or type_name.startswith(SYSTEM)


def _one(step: model.Step) -> Callable[[dict[str, Any]], Values]:
    name, kind = step.json_name, step.type

    def one(resource: dict[str, Any]) -> Values:
        value = resource.get(name)
        return [] if value is None else [(kind, value)]

    def several(resource: dict[str, Any]) -> Values:
        return [(kind, value) for value in resource.get(name, ()) if value is not None]

    return several if step.many else one


def _chain(steps: list[model.Step]) -> Callable[[dict[str, Any]], Values]:
    path = [(step.json_name, step.many) for step in steps]
    kind = steps[-1].type

    def extract(resource: dict[str, Any]) -> Values:
        values: list[Any] = [resource]
        for name, many in path:
            values = [each[name] for each in values if name in each]
            if many:
                values = [item for each in values for item in each]
            if not values:
                return []
        return [(kind, value) for value in values if value is not None]

    return extract
