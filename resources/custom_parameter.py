"""A SearchParameter resource → search parameters of a server's own, one for each type it is about.

Their expressions come from strangers and are evaluated with each resource that is written, so only what costs no more
than a walk over the resource is taken: steps downwards, filters that look below the element they are about, no
regular expressions, no `repeat()`, nothing that multiplies.

http://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

from resources import registry
from resources.codec import Json
from resources.fhirpath import compile_path, path_type
from resources.fhirpath.parser import (
    Call,
    Item,
    Literal,
    Member,
    Node,
    Operation,
    Sign,
    TypeTest,
    Variable,
    parse,
)
from resources.outcome import FHIRError, Issue
from resources.search_parameters import (
    Component,
    SearchParameter,
    all_parameters,
    alternatives,
    parameters,
    us_core_parameters,
)

MAX_LENGTH = 1_000
"""Characters of an expression."""

MAX_NODES = 100
"""Steps, functions, operators and constants of an expression."""

MAX_COMPONENTS = 3

FUNCTIONS = frozenset(
    {
        "where",
        "exists",
        "empty",
        "not",
        "hasValue",
        "all",
        "first",
        "last",
        "tail",
        "skip",
        "take",
        "single",
        "count",
    }
    | {"ofType", "as", "is", "extension", "hasExtension", "resolve"}
    | {"startsWith", "endsWith", "contains", "lower", "upper", "length"}
)
OPERATORS = frozenset({"|", "=", "!=", "<", ">", "<=", ">=", "and", "or", "xor", "implies", "in", "contains"})
TYPES = frozenset({"number", "date", "string", "token", "reference", "composite", "quantity", "uri"})

NOT_FOR = frozenset({"AuditEvent"})
"""Written with every access, by the shortest way: nothing is added to that."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_BULKY = frozenset({"base64Binary", "xhtml"})


def own_parameters(resource: Json) -> tuple[SearchParameter, ...]:
    """What a valid SearchParameter resource makes searchable: nothing unless it is active, and nothing where it says
    what is built in already.

    FHIRError 422 with all reasons why it cannot be searched by.
    """
    if resource["status"] != "active" or resource["url"] in _built_in_urls():
        return ()
    issues = list(_faults(resource))
    if issues:
        raise FHIRError(422, issues)
    found = (_parameter(resource, base) for base in _bases(resource))
    return tuple(each for each in found if not _is_built_in(each))


def to_json(parameter: SearchParameter) -> Json:
    """The facts, as `from_json` reads them."""
    made: Json = {each.name: getattr(parameter, each.name) for each in fields(parameter)}
    parts = [{"definition": part.definition, "expression": part.expression} for part in parameter.component]
    lists = {name: list(value) for name, value in made.items() if isinstance(value, tuple)}
    return {**made, **lists, "component": parts}


def from_json(facts: Json) -> SearchParameter:
    lists: dict[str, Any] = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
    return SearchParameter(
        **{**facts, **lists, "component": tuple(Component(**part) for part in facts["component"])}
    )


def faults(parameter: SearchParameter) -> Iterator[str]:
    """Why it cannot be evaluated here."""
    (base,) = parameter.base
    paths = list(alternatives(parameter, base))
    if not paths:
        yield f"no part of the expression is about {base}"
    for path in paths:
        try:
            compile_path(path, base)
            kind = path_type(path, base)
        except FHIRError as fault:
            yield str(fault)
            continue
        if kind in _BULKY:
            yield f"it leads to {kind}, which is nothing to search by"
        elif parameter.type == "composite":
            yield from _component_faults(parameter, path, kind)


def _component_faults(parameter: SearchParameter, path: str, kind: str | None) -> Iterator[str]:
    if path in parameter.base or kind is None:
        yield f"'{path}' does not lead to elements of one type, whose values belong together"
        return
    for part in parameter.component:
        try:
            compile_path(part.expression, kind)
        except FHIRError as fault:
            yield str(fault)


@cache
def _built_in_urls() -> frozenset[str]:
    return frozenset(each.url for each in (*all_parameters(), *us_core_parameters()))


def _is_built_in(parameter: SearchParameter) -> bool:
    """Guides define again what R4 has: the same code, type and expression under another URL."""
    known = parameters(parameter.base[0]).get(parameter.code)
    return known is not None and _same(known, parameter)


def _same(known: SearchParameter, other: SearchParameter) -> bool:
    (base,) = other.base
    return known.type == other.type and set(alternatives(known, base)) == set(alternatives(other, base))


def _bases(resource: Json) -> Iterator[str]:
    """The types it is about; `Resource` and `DomainResource` stand for all that are one."""
    for base in dict.fromkeys(resource["base"]):
        if registry.is_resource(base):
            yield base
        else:
            yield from (
                each
                for each in sorted(registry.resource_types())
                if registry.is_a(each, base) and each not in NOT_FOR
            )


def _parameter(resource: Json, base: str) -> SearchParameter:
    return SearchParameter(
        code=resource["code"],
        url=resource["url"],
        type=resource["type"],
        base=(base,),
        expression=resource["expression"],
        target=tuple(resource.get("target", ())),
        component=tuple(
            Component(each["definition"].partition("|")[0], each["expression"])
            for each in resource.get("component", ())
        ),
        comparator=tuple(resource.get("comparator", ())),
    )


def _faults(resource: Json) -> Iterator[Issue]:
    yield from _code_faults(resource)
    if resource["type"] not in TYPES:
        yield _fault("type", f"parameters of type {resource['type']} cannot be defined here")
    for base in resource["base"]:
        if base in NOT_FOR:
            yield _fault("base", f"{base} can only be searched by what is built in")
    if "expression" not in resource:
        yield _fault("expression", "a FHIRPath expression was expected; XPath is not evaluated")
        return
    expressions = {"expression": resource["expression"]}
    if resource["type"] == "composite":
        yield from _composite_faults(resource)
        parts = enumerate(resource.get("component", ()))
        expressions |= {f"component[{place}].expression": each["expression"] for place, each in parts}
    unsafe = [_fault(name, text) for name, path in expressions.items() for text in _unsafe(path)]
    yield from unsafe
    if not unsafe:
        told = dict.fromkeys(text for base in _bases(resource) for text in faults(_parameter(resource, base)))
        yield from (_fault("expression", text) for text in list(told)[:10])


def _code_faults(resource: Json) -> Iterator[Issue]:
    code = resource["code"]
    if not _CODE.fullmatch(code):
        yield _fault(
            "code", f"'{code[:80]}' is not a name: a letter, then up to 63 letters, digits, '-' or '_'"
        )
        return
    for base in _bases(resource):
        known = parameters(base).get(code)
        if known is not None and not ("expression" in resource and _same(known, _parameter(resource, base))):
            yield _fault("code", f"{base} is searched by '{code}' already, as {known.url} defines it")
            return


def _composite_faults(resource: Json) -> Iterator[Issue]:
    parts = resource.get("component", ())
    if not 2 <= len(parts) <= MAX_COMPONENTS:
        yield _fault("component", f"2 to {MAX_COMPONENTS} components were expected, not {len(parts)}")
    known = {each.url: each for each in all_parameters()}
    for place, each in enumerate(parts):
        definition = known.get(each["definition"].partition("|")[0])
        if definition is None or definition.type in {"composite", "special"} or definition.expression is None:
            text = "the URL of a search parameter of R4 was expected that is neither composite nor special"
            yield _fault(f"component[{place}].definition", text)


def _unsafe(expression: str) -> Iterator[str]:
    """What may not be evaluated; what is no FHIRPath is told as such."""
    if len(expression) > MAX_LENGTH:
        yield f"it has {len(expression)} characters; at most {MAX_LENGTH:,} are evaluated"
        return
    try:
        nodes = list(_nodes(parse(expression)))
    except FHIRError as fault:
        yield str(fault)
        return
    except RecursionError:
        yield "it is nested too deeply"
        return
    if len(nodes) > MAX_NODES:
        yield f"it has {len(nodes)} steps, functions and operators; at most {MAX_NODES} are evaluated"
    for name in dict.fromkeys(filter(None, map(_refused, nodes))):
        yield f"{name} is not evaluated in search parameters. Possible: {', '.join(sorted(FUNCTIONS))}"


def _refused(node: Node) -> str | None:
    match node:
        case Call() if node.name not in FUNCTIONS:
            return f"{node.name}()"
        case Operation() if node.operator not in OPERATORS:
            return f"'{node.operator}'"
        case Variable() if node.name.startswith(("$", "%")) and not _is_constant(node.name):
            return node.name
    return None


def _is_constant(name: str) -> bool:
    return name in {"$this", "%ucum", "%sct", "%loinc"} or name.startswith(("%vs-", "%ext-"))


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    inside: tuple[Node | None, ...] = ()
    match node:
        case Literal() | Variable():
            pass
        case Member():
            inside = (node.source,)
        case Call():
            named_type = node.name in {"is", "as", "ofType"}
            inside = (node.source,) if named_type else (node.source, *node.arguments)
        case Item():
            inside = (node.source, node.index)
        case Sign() | TypeTest():
            inside = (node.operand,)
        case Operation():
            inside = (node.left, node.right)
    for each in inside:
        if each is not None:
            yield from _nodes(each)


def _fault(name: str, text: str) -> Issue:
    return Issue("error", "business-rule", f"SearchParameter.{name}: {text}", (f"SearchParameter.{name}",))
