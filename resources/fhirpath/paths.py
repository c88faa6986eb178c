"""Steps from elements to their elements, compiled: `Patient.name.given`, `Observation.value.ofType(Quantity)`.

http://hl7.org/fhirpath/N1/#path-selection
"""

from __future__ import annotations

from collections.abc import Sequence

from resources import registry
from resources.fhirpath import model
from resources.fhirpath.expression import Compiled, Environment, Run, Test
from resources.fhirpath.lexer import bad_expression
from resources.fhirpath.model import Step
from resources.fhirpath.values import VOID, Item, Items


def this_run(this: Item, env: Environment) -> Items:
    """A path of no steps: `$this`."""
    return [] if this is VOID else [this]


def nothing(this: Item, env: Environment) -> Items:
    """The empty collection."""
    return []


NOTHING = Compiled(nothing, None, free=True, literal=True, needs=frozenset())


def member(text: str, source: Compiled, name: str, only: str | None = None) -> Compiled:
    """The element `name` of every item of the source, of the type `only` if one is given.

    Where the type of the source is known, an element it has not is a fault of the expression (400).
    """
    if source.type is None or source.type in model.WHOLE:
        return Compiled(_any(source.run, name, only), None, free=source.free, needs=source.needs)
    if source.type.startswith("System.") and source.type != "System.Quantity":
        return NOTHING
    steps = model.steps(source.type, name)
    if not steps:
        raise bad_expression(text, f"{source.type} has no element '{name}'")
    if only is not None:
        steps = tuple(step for step in steps if model.is_a(step.type, only))
    kind = steps[0].type if len(steps) == 1 and steps[0].type not in model.WHOLE else None
    if registry.is_primitive(source.type):
        return Compiled(_any(source.run, name, only), kind, free=source.free, needs=source.needs)
    keys = _keys(steps) if source.run is this_run else None
    needs = source.needs if keys is None else keys
    return Compiled(_known(source.run, steps), kind, free=source.free, keys=keys, needs=needs)


def _keys(steps: Sequence[Step]) -> frozenset[str]:
    return frozenset(name for step in steps for name in (step.json_name, step.sibling) if name is not None)


def has_any(keys: frozenset[str]) -> Test:
    """Whether `$this` has one of the JSON members: `exists()` of an element of its own."""
    if len(keys) == 1:
        (key,) = keys
        return lambda this, _: key in this[1]
    return lambda this, _: not keys.isdisjoint(this[1])


def _any(source: Run, name: str, only: str | None) -> Run:
    def run(this: Item, env: Environment) -> Items:
        found: Items = []
        for kind, value, sibling in source(this, env):
            holder = value if isinstance(value, dict) else sibling
            if isinstance(holder, dict):
                for step in model.steps(kind, name):
                    if only is None or model.is_a(step.type, only):
                        model.take(step, holder, found)
        return found

    return run


def _known(source: Run, steps: Sequence[Step]) -> Run:
    if len(steps) != 1 or steps[0].type in model.WHOLE or (steps[0].sibling and steps[0].many):
        return _several(source, steps)
    step = steps[0]
    return _of_this(step) if source is this_run else _of_each(source, step)


def _several(source: Run, steps: Sequence[Step]) -> Run:
    take = model.take

    def run(this: Item, env: Environment) -> Items:
        found: Items = []
        for item in source(this, env):
            for step in steps:
                take(step, item[1], found)
        return found

    return run


def _of_each(source: Run, step: Step) -> Run:
    json_name, sibling, kind, many = step

    def primitive(this: Item, env: Environment) -> Items:
        found: Items = []
        for _, holder, _ in source(this, env):
            value, beside = holder.get(json_name), holder.get(sibling)
            if value is not None or beside is not None:
                found.append((kind, value, beside))
        return found

    def one(this: Item, env: Environment) -> Items:
        source_items = source(this, env)
        return [(kind, value, None) for item in source_items if (value := item[1].get(json_name)) is not None]

    def several(this: Item, env: Environment) -> Items:
        return [(kind, value, None) for item in source(this, env) for value in item[1].get(json_name) or ()]

    return primitive if sibling else several if many else one


def _of_this(step: Step) -> Run:
    json_name, sibling, kind, many = step

    def primitive(this: Item, env: Environment) -> Items:
        value, beside = this[1].get(json_name), this[1].get(sibling)
        return [] if value is None and beside is None else [(kind, value, beside)]

    def one(this: Item, env: Environment) -> Items:
        value = this[1].get(json_name)
        return [] if value is None else [(kind, value, None)]

    def several(this: Item, env: Environment) -> Items:
        return [(kind, value, None) for value in this[1].get(json_name) or ()]

    return primitive if sibling else several if many else one
