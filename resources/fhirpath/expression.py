"""What the compiler makes of a syntax tree: closures, and what is known about their results beforehand.

http://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from resources.fhirpath.values import Item, Items, boolean, key, truth


class Environment:
    """What an evaluation knows besides its input: `%resource`, `%rootResource`, `%context`, `$index`, `$total`."""

    __slots__ = ("context", "index", "memory", "resource", "root", "total")

    def __init__(self, resource: Item, context: Item | None = None, root: Item | None = None) -> None:
        self.resource = resource
        self.context = context or resource
        self.root = root or resource
        self.index = 0
        self.total: Items = []
        self.memory: dict[int, Any] = {}


Run = Callable[[Item, Environment], Items]
"""`$this` and the environment to a collection."""

Test = Callable[[Item, Environment], bool | None]
"""`$this` and the environment to a truth value; None is the empty collection."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A closure for a part of an expression.

    `test` gives the same as `run` for what is a boolean by nature. `type` is the type of all items where it is known
    beforehand. `free` tells that the result does not depend on `$this`, `$index` or `$total`: it is the same
    throughout one evaluation; `literal` that it is the same always. `keys` are the JSON members of `$this` that it
    reads, where it is no more than an element of `$this`. `needs` are JSON members of `$this` of which one must be
    there for a result that is not empty.
    """

    run: Run
    type: str | None = None
    test: Test | None = None
    free: bool = False
    literal: bool = False
    keys: frozenset[str] | None = None
    needs: frozenset[str] | None = None

    def as_test(self) -> Test:
        """The result as a truth value."""
        if self.test is not None:
            return self.test
        run = self.run
        return lambda this, env: truth(run(this, env))


def question(test: Test, *, free: bool = False, literal: bool = False) -> Compiled:
    """A closure that is a boolean by nature."""
    return Compiled(lambda this, env: boolean(test(this, env)), "System.Boolean", test, free, literal)


_places = count()


def new_place() -> int:
    """A key of `Environment.memory` for one closure."""
    return next(_places)


def remembered(part: Compiled) -> Compiled:
    """The same closure, run once per evaluation where its result cannot change: loops stay linear."""
    if not part.free or part.literal:
        return part
    run, place = part.run, new_place()

    def remember(this: Item, env: Environment) -> Items:
        known: Items | None = env.memory.get(place)
        if known is None:
            known = env.memory[place] = run(this, env)
        return known

    test = (lambda this, env: truth(remember(this, env))) if part.test else None
    return Compiled(remember, part.type, test, free=True)


def key_set(part: Compiled) -> Callable[[Item, Environment], set[object]]:
    """The keys of the part's items, made once per evaluation where they cannot change."""
    run = part.run
    if not part.free:
        return lambda this, env: {key(item) for item in run(this, env)}
    place = new_place()

    def keys(this: Item, env: Environment) -> set[object]:
        known: set[object] | None = env.memory.get(place)
        if known is None:
            known = env.memory[place] = {key(item) for item in run(this, env)}
        return known

    return keys
