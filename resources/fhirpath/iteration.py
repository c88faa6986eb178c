"""The functions that evaluate an expression for each item: `where`, `all`, `select`, `repeat`, `aggregate`, `iif`.

http://hl7.org/fhirpath/N1/#filtering-and-projection
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from resources.fhirpath import paths
from resources.fhirpath.expression import Compiled, Environment, Test, question
from resources.fhirpath.lexer import bad_expression
from resources.fhirpath.parser import Call, Node
from resources.fhirpath.values import VOID, Item, Items, key, single


class Compiler(Protocol):
    text: str

    def compile(self, node: Node, this: str | None) -> Compiled: ...
    def source(self, node: Node | None, this: str | None) -> Compiled: ...
    def type_test(self, operator: str, operand: Node, wanted: str, this: str | None) -> Compiled: ...


Maker = Callable[[Compiler, Call, Compiled, str | None], Compiled]
"""Compiles a call: the compiler, the call, what it is called on, and the type of `$this`."""


def where_items(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run, test = source.run, _criterion(compiler, node, source, this)

    def where(s: Item, env: Environment) -> Items:
        found: Items = []
        for index, item in enumerate(run(s, env)):
            env.index = index
            if test(item, env):
                found.append(item)
        return found

    return Compiled(where, source.type, free=source.free, needs=source.needs)


def all_items(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run, test = source.run, _criterion(compiler, node, source, this)

    def all_hold(s: Item, env: Environment) -> bool | None:
        for index, item in enumerate(run(s, env)):
            env.index = index
            if not test(item, env):
                return False
        return True

    return question(all_hold, free=source.free)


def select_items(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run, part = source.run, compiler.compile(node.arguments[0], source.type)
    each = part.run

    def select(s: Item, env: Environment) -> Items:
        found: Items = []
        for index, item in enumerate(run(s, env)):
            env.index = index
            found.extend(each(item, env))
        return found

    return Compiled(select, part.type, free=source.free)


def repeat_items(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run, each = source.run, compiler.compile(node.arguments[0], None).run

    def repeat(s: Item, env: Environment) -> Items:
        found: dict[object, Item] = {}
        waiting = run(s, env)
        while waiting:
            reached = [item for start in waiting for item in each(start, env)]
            waiting = []
            for item in reached:
                if (place := key(item)) not in found:
                    found[place] = item
                    waiting.append(item)
        return list(found.values())

    return Compiled(repeat, free=source.free)


def aggregate_items(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run, each = source.run, compiler.compile(node.arguments[0], source.type).run
    start = compiler.compile(node.arguments[1], this).run if len(node.arguments) > 1 else paths.nothing

    def aggregate(s: Item, env: Environment) -> Items:
        outer, env.total = env.total, start(s, env)
        for index, item in enumerate(run(s, env)):
            env.index = index
            env.total = each(item, env)
        total, env.total = env.total, outer
        return total

    return Compiled(aggregate)


def iif_items(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    kind = source.type
    criterion = compiler.compile(node.arguments[0], kind)
    if criterion.type not in {None, "boolean", "System.Boolean"}:
        raise bad_expression(compiler.text, f"the criterion of iif() is a {criterion.type}, not a boolean")
    test = criterion.as_test()
    then = compiler.compile(node.arguments[1], kind)
    other = compiler.compile(node.arguments[2], kind).run if len(node.arguments) > 2 else paths.nothing
    run = source.run

    def iif(s: Item, env: Environment) -> Items:
        item = single(run(s, env)) or VOID
        return then.run(item, env) if test(item, env) else other(item, env)

    return Compiled(iif)


def _criterion(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Test:
    return compiler.compile(node.arguments[0], source.type).as_test()
