"""The functions of FHIRPath that take expressions, and those of R4; the plain ones are in the modules they name.

http://hl7.org/fhirpath/N1/#functions, http://hl7.org/fhir/R4/fhirpath.html#functions
"""

from __future__ import annotations

from collections.abc import Callable

from resources.fhirpath import conversions, iteration, model, numbers, paths, references, sets, strings
from resources.fhirpath.expression import Compiled, Environment, key_set, question, remembered
from resources.fhirpath.iteration import Compiler, Maker
from resources.fhirpath.lexer import bad_expression
from resources.fhirpath.operators import negated
from resources.fhirpath.parser import Call, Variable, type_argument
from resources.fhirpath.values import EvaluationError, Item, Items, distinct, key, single


class UnknownFunction(Exception):
    """A function that is not known here; the general engine may know it."""


PLAIN: dict[str, Callable[..., Items]] = {
    **sets.FUNCTIONS,
    **strings.FUNCTIONS,
    **numbers.FUNCTIONS,
    **conversions.FUNCTIONS,
}
"""Functions of collections to a collection: the input, then one collection for each argument."""

_KEEPS_TYPE = frozenset(
    {"first", "last", "tail", "skip", "take", "single", "distinct", "intersect", "exclude", "trace"}
)


def call(compiler: Compiler, node: Call, this: str | None) -> Compiled:
    """The closure of a function call."""
    if node.name in {"is", "as", "ofType"}:
        return _typed(compiler, node, this)
    source = compiler.source(node.source, this)
    maker = _MAKERS.get(node.name)
    if maker is not None:
        low, high = _ARGUMENTS.get(node.name, (0, 0))
        if not low <= len(node.arguments) <= high:
            raise bad_expression(compiler.text, f"{node.name}() takes {low} to {high} arguments")
        return maker(compiler, node, source, this)
    return _plain(compiler, node, source, this)


def _typed(compiler: Compiler, node: Call, this: str | None) -> Compiled:
    wanted = type_argument(node.arguments[0]) if len(node.arguments) == 1 else None
    if wanted is None:
        raise bad_expression(compiler.text, f"{node.name}() takes the name of a type")
    if node.source is None:
        return compiler.type_test(node.name, THIS, wanted, this)
    return compiler.type_test(node.name, node.source, wanted, this)


def _plain(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    work = PLAIN.get(node.name)
    if work is None:
        raise UnknownFunction(node.name)
    parts = [remembered(compiler.compile(argument, this)) for argument in node.arguments]
    low, high = sets.arity(work)
    if not low <= len(parts) <= high:
        raise bad_expression(
            compiler.text, f"{node.name}() takes {low} to {high} arguments, not {len(parts)}"
        )
    free = source.free and all(part.free for part in parts)
    literal = source.literal and all(part.literal for part in parts)
    kind = source.type if node.name in _KEEPS_TYPE else None
    run = source.run
    if not parts:
        return Compiled(lambda s, env: work(run(s, env)), kind, free=free, literal=literal)
    first = parts[0].run
    if len(parts) == 1:
        return Compiled(lambda s, env: work(run(s, env), first(s, env)), kind, free=free, literal=literal)
    runs = [part.run for part in parts]
    return Compiled(
        lambda s, env: work(run(s, env), *[argument(s, env) for argument in runs]),
        kind,
        free=free,
        literal=literal,
    )


def _exists(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    if node.arguments:
        source = iteration.where_items(compiler, node, source, this)
    run = source.run
    if source.keys is not None:
        return question(paths.has_any(source.keys))
    return question(lambda s, env: bool(run(s, env)), free=source.free, literal=source.literal)


def _empty(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run = source.run
    if source.keys is not None:
        has = paths.has_any(source.keys)
        return question(lambda s, env: not has(s, env))
    return question(lambda s, env: not run(s, env), free=source.free, literal=source.literal)


def _not(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    return question(negated(source.as_test()), free=source.free, literal=source.literal)


def _has_value(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run = source.run

    def test(s: Item, env: Environment) -> bool | None:
        items = run(s, env)
        return len(items) == 1 and items[0][1] is not None and not isinstance(items[0][1], dict)

    return question(test, free=source.free)


def _compared(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    """`intersect`, `exclude`, `subsetOf`, `supersetOf`."""
    run, others = source.run, key_set(compiler.compile(node.arguments[0], this))
    if node.name == "subsetOf":
        return question(lambda s, env: {key(item) for item in run(s, env)} <= others(s, env))
    if node.name == "supersetOf":
        return question(lambda s, env: {key(item) for item in run(s, env)} >= others(s, env))
    if node.name == "exclude":
        return Compiled(lambda s, env: _picked(run(s, env), others(s, env), inside=False), source.type)
    return Compiled(lambda s, env: _picked(distinct(run(s, env)), others(s, env), inside=True), source.type)


def _picked(items: Items, keys: set[object], *, inside: bool) -> Items:
    return [item for item in items if (key(item) in keys) is inside]


def _extension(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    extensions = paths.member(compiler.text, Compiled(source.run, None), "extension").run
    url = compiler.compile(node.arguments[0], this).run

    def extension(s: Item, env: Environment) -> Items:
        wanted = single(url(s, env))
        found = extensions(s, env)
        return [item for item in found if wanted is not None and item[1].get("url") == wanted[1]]

    if node.name == "hasExtension":
        return question(lambda s, env: bool(extension(s, env)))
    return Compiled(extension, "Extension")


def _resolve(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run = source.run
    return Compiled(lambda s, env: references.resolve(run(s, env), env))


def _accepted(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    """`htmlChecks()`, `conformsTo()`, `memberOf()`: what they ask is checked elsewhere, or by nobody."""
    run = source.run
    return question(lambda s, env: True if run(s, env) else None)


def _trace(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    """Nothing is logged: traces would hold patient data."""
    for argument in node.arguments[1:]:
        compiler.compile(argument, source.type)
    return source


def _children(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
    run, walk = source.run, model.children if node.name == "children" else model.descendants
    return Compiled(lambda s, env: walk(run(s, env)), free=source.free)


def _truth(item: Item) -> bool:
    if not isinstance(item[1], bool):
        raise EvaluationError(f"a boolean was expected, not {item[0]}")
    return item[1]


def _truths(wanted: bool, every: bool) -> Maker:
    def make(compiler: Compiler, node: Call, source: Compiled, this: str | None) -> Compiled:
        run, measure = source.run, all if every else any
        return question(
            lambda s, env: measure(_truth(item) is wanted for item in run(s, env)), free=source.free
        )

    return make


THIS = Variable("$this")

_MAKERS: dict[str, Maker] = {
    "exists": _exists,
    "empty": _empty,
    "not": _not,
    "hasValue": _has_value,
    "where": iteration.where_items,
    "all": iteration.all_items,
    "select": iteration.select_items,
    "repeat": iteration.repeat_items,
    "aggregate": iteration.aggregate_items,
    "iif": iteration.iif_items,
    "intersect": _compared,
    "exclude": _compared,
    "subsetOf": _compared,
    "supersetOf": _compared,
    "extension": _extension,
    "hasExtension": _extension,
    "resolve": _resolve,
    "htmlChecks": _accepted,
    "conformsTo": _accepted,
    "memberOf": _accepted,
    "trace": _trace,
    "children": _children,
    "descendants": _children,
    "allTrue": _truths(wanted=True, every=True),
    "anyTrue": _truths(wanted=True, every=False),
    "allFalse": _truths(wanted=False, every=True),
    "anyFalse": _truths(wanted=False, every=False),
}

_ARGUMENTS = {
    "exists": (0, 1),
    "aggregate": (1, 2),
    "iif": (2, 3),
    "trace": (1, 2),
    **dict.fromkeys(("where", "all", "select", "repeat", "extension", "hasExtension"), (1, 1)),
    **dict.fromkeys(("intersect", "exclude", "subsetOf", "supersetOf"), (1, 1)),
    **dict.fromkeys(("conformsTo", "memberOf"), (1, 1)),
}
