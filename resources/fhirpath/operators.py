"""The operators of FHIRPath over compiled operands.

http://hl7.org/fhirpath/N1/#operations
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from resources.fhirpath import model, paths, values
from resources.fhirpath.arithmetic import ARITHMETIC
from resources.fhirpath.equivalence import equivalent_all
from resources.fhirpath.expression import Compiled, Environment, Test, key_set, question
from resources.fhirpath.values import EvaluationError, Item, Items, equal_all, key, single


def operation(text: str, operator: str, left: Compiled, right: Compiled) -> Compiled:
    """`left operator right`."""
    free, literal = left.free and right.free, left.literal and right.literal
    if operator in _LOGIC:
        return question(_LOGIC[operator](left.as_test(), right.as_test()), free=free, literal=literal)
    if operator in _COMPARISONS:
        return question(_comparison(_COMPARISONS[operator], left, right), free=free, literal=literal)
    if operator == "in":
        return question(_within(left, right), free=free, literal=literal)
    if operator == "contains":
        return question(_within(right, left), free=free, literal=literal)
    if operator == "|":
        return _union(left, right)
    if operator in _TESTS:
        return question(_TESTS[operator](left, right), free=free, literal=literal)
    one, other = left.run, right.run
    work = ARITHMETIC[operator]
    return Compiled(lambda this, env: work(one(this, env), other(this, env)), free=free, literal=literal)


def _union(left: Compiled, right: Compiled) -> Compiled:
    one, other = left.run, right.run
    if right is paths.NOTHING or left is paths.NOTHING:  # a branch for another type
        kept = left if right is paths.NOTHING else right
        only = kept.run
        return replace(kept, run=lambda this, env: values.distinct(only(this, env)), keys=None)
    return Compiled(
        lambda this, env: values.distinct(one(this, env) + other(this, env)),
        left.type if left.type == right.type else None,
        free=left.free and right.free,
        literal=left.literal and right.literal,
        needs=None if left.needs is None or right.needs is None else left.needs | right.needs,
    )


def _and(left: Test, right: Test) -> Test:
    def test(this: Item, env: Environment) -> bool | None:
        one = left(this, env)
        if one is False:
            return False
        other = right(this, env)
        return False if other is False else None if one is None else other

    return test


def _or(left: Test, right: Test) -> Test:
    def test(this: Item, env: Environment) -> bool | None:
        one = left(this, env)
        if one:
            return True
        other = right(this, env)
        return True if other else None if one is None else other

    return test


def _xor(left: Test, right: Test) -> Test:
    def test(this: Item, env: Environment) -> bool | None:
        one, other = left(this, env), right(this, env)
        return None if one is None or other is None else one is not other

    return test


def _implies(left: Test, right: Test) -> Test:
    def test(this: Item, env: Environment) -> bool | None:
        one = left(this, env)
        if one is False:
            return True
        other = right(this, env)
        return other if one or other else None

    return test


_LOGIC: dict[str, Callable[[Test, Test], Test]] = {"and": _and, "or": _or, "xor": _xor, "implies": _implies}


def _equals(left: Compiled, right: Compiled) -> Test:
    one, other = left.run, right.run
    text = _literal_text(right)
    if text is not None:
        return _equals_text(left, text)

    def test(this: Item, env: Environment) -> bool | None:
        return equal_all(one(this, env), other(this, env))

    return test


def _literal_text(part: Compiled) -> str | None:
    if not part.literal or part.type != "System.String":
        return None
    nowhere: Item = ("System.Boolean", None, None)
    items = part.run(nowhere, Environment(nowhere))
    return items[0][1] if len(items) == 1 else None


def _equals_text(left: Compiled, text: str) -> Test:
    """The frequent `code = 'text'`."""
    run = left.run

    def test(this: Item, env: Environment) -> bool | None:
        items = run(this, env)
        if len(items) != 1:
            return False if items else None
        found = items[0]
        return found[1] == text and found[0] not in values.TEMPORAL

    return test


def _differs(left: Compiled, right: Compiled) -> Test:
    return negated(_equals(left, right))


def negated(test: Test) -> Test:
    """`not()`."""

    def opposite(this: Item, env: Environment) -> bool | None:
        result = test(this, env)
        return None if result is None else not result

    return opposite


def _equivalent(left: Compiled, right: Compiled) -> Test:
    one, other = left.run, right.run
    return lambda this, env: equivalent_all(one(this, env), other(this, env))


def _not_equivalent(left: Compiled, right: Compiled) -> Test:
    one, other = left.run, right.run
    return lambda this, env: not equivalent_all(one(this, env), other(this, env))


_TESTS: dict[str, Callable[[Compiled, Compiled], Test]] = {
    "=": _equals,
    "!=": _differs,
    "~": _equivalent,
    "!~": _not_equivalent,
}

_COMPARISONS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _comparison(holds: Callable[[int], bool], left: Compiled, right: Compiled) -> Test:
    one, other = left.run, right.run

    def test(this: Item, env: Environment) -> bool | None:
        mine, theirs = single(one(this, env)), single(other(this, env))
        if mine is None or theirs is None:
            return None
        order = values.compare(mine, theirs)
        return None if order is None else holds(order)

    return test


def _within(element: Compiled, collection: Compiled) -> Test:
    """`in`."""
    one, keys = element.run, key_set(collection)

    def test(this: Item, env: Environment) -> bool | None:
        item = single(one(this, env))
        return None if item is None else key(item) in keys(this, env)

    return test


def indexed(source: Compiled, index: Compiled) -> Compiled:
    """`source[index]`."""
    run, at = source.run, index.run

    def test(this: Item, env: Environment) -> Items:
        found, place = run(this, env), single(at(this, env))
        if place is None or not isinstance(place[1], int) or isinstance(place[1], bool):
            return []
        return found[place[1] : place[1] + 1] if place[1] >= 0 else []

    return Compiled(test, source.type, free=source.free and index.free)


def is_type(source: Compiled, wanted: str) -> Compiled:
    """`source is wanted`."""
    run = source.run

    def test(this: Item, env: Environment) -> bool | None:
        item = single(run(this, env))
        return None if item is None else model.is_a(item[0], wanted)

    return question(test, free=source.free)


def sign(operator: str, operand: Compiled) -> Compiled:
    """`+` or `-` before a number or quantity."""
    run = operand.run

    def negative(this: Item, env: Environment) -> Items:
        item = single(run(this, env))
        if item is None:
            return []
        kind, value, _ = item
        if kind in values.QUANTITIES:
            return [(kind, {**value, "value": -value["value"]}, None)]
        if not values.is_number(value):
            raise EvaluationError(f"'{operator}' needs a number, not {kind}")
        return [(kind, -value if operator == "-" else value, None)]

    return Compiled(negative, operand.type, free=operand.free, literal=operand.literal)
