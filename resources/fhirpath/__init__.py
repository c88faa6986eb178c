"""FHIRPath, compiled: an expression becomes Python closures once and is called with resources as they are in JSON.

http://hl7.org/fhirpath/N1/, http://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from resources.fhirpath import general
from resources.fhirpath.compiler import Compiler
from resources.fhirpath.expression import Compiled, Environment, Test
from resources.fhirpath.functions import UnknownFunction
from resources.fhirpath.lexer import bad_expression
from resources.fhirpath.model import WHOLE, element_type, type_of
from resources.fhirpath.parser import parse
from resources.fhirpath.values import VOID, EvaluationError, Item

__all__ = [
    "UNDECIDED",
    "Check",
    "EvaluationError",
    "Path",
    "UnknownFunction",
    "compile_check",
    "compile_path",
    "compile_test",
    "evaluate",
    "path_type",
    "values",
]

_ENVIRONMENT = ("%", "$index", "$total", "aggregate", "resolve")
"""What makes an expression look at its surroundings."""

Path = Callable[..., list[tuple[str, Any]]]
Check = Callable[..., bool]

UNDECIDED = (
    EvaluationError,
    ArithmeticError,
    AttributeError,
    TypeError,
    ValueError,
    KeyError,
    RecursionError,
)
"""What a closure raises on input it cannot be applied to: several items where one may stand, malformed JSON."""


@lru_cache(maxsize=8192)
def compile_path(expression: str, base: str) -> Path:
    """The expression for inputs of type `base` (`Observation`, `Observation.component`), as search parameters mean it.

    A path to a data type counts as that type (`Account.servicePeriod` as `Period`).
    The closure takes the input, and the resource it stands in where that is another (`%resource`); it gives the
    values as (type, JSON value) pairs: `("Quantity", {…})`, `("code", "final")`, `("Patient.contact", {…})`.
    Of a union only the branches that apply to `base` count; `(x as T)` reads as `x.ofType(T)`; `resolve()` tells
    types by the reference's text. Raises `bad_expression` (400).
    http://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
    """
    declared = element_type(base)
    compiled = _compiled(expression, declared, search=True)
    kind = declared or ""
    run, needs = compiled.run, compiled.needs
    alone = Environment(VOID) if not any(word in expression for word in _ENVIRONMENT) else None

    def path(element: dict[str, Any], resource: dict[str, Any] | None = None) -> list[tuple[str, Any]]:
        if needs is not None and needs.isdisjoint(element):
            return []
        start: Item = (type_of(element) if kind in WHOLE else kind, element, None)
        whole: Item = start if resource is None else (type_of(resource), resource, None)
        try:
            found = run(start, alone or Environment(whole))
        except UNDECIDED:
            return []  # a resource that the expression cannot be applied to is not found by it
        return [(_PLAIN.get(named, named), value) for named, value, _ in found if value is not None]

    return path


def path_type(expression: str, base: str) -> str | None:
    """The type of all values of a search parameter's expression, where it is known beforehand.

    Raises `bad_expression` (400).
    """
    return _compiled(expression, element_type(base), search=True).type


@lru_cache(maxsize=4096)
def compile_check(expression: str, base: str) -> Check:
    """The expression as a constraint on elements of type `base`: a type or a path (`Patient.contact`).

    The closure takes the element, the resource it stands in (`%resource`) and the one that contains that
    (`%rootResource`); both default to the element. False is a broken constraint; an empty result breaks none.
    Raises `bad_expression` (400).
    http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.constraint.expression
    """
    test, kind = compile_test(expression, base)

    def check(value: Any, resource: dict[str, Any] | None = None, root: dict[str, Any] | None = None) -> bool:
        item: Item = (kind, value, None)
        whole: Item = item if resource is None else (type_of(resource), resource, None)
        outer: Item = whole if root is None else (type_of(root), root, None)
        try:
            return test(item, Environment(whole, item, outer)) is not False
        except UNDECIDED:
            return True  # what cannot be evaluated is not known to be broken

    return check


def compile_test(expression: str, base: str) -> tuple[Test, str]:
    """The bare closure of a constraint, and the type its `$this` has to be labelled with."""
    kind = element_type(base)
    return _compiled(expression, kind).as_test(), kind or ""


def values(expression: str, resource: dict[str, Any]) -> list[tuple[str, Any]]:
    """The values of an expression on a resource as (type, JSON value) pairs; raises `bad_expression` (400)."""
    start: Item = (type_of(resource), resource, None)
    try:
        found = _evaluated(expression, start[0]).run(start, Environment(start))
    except EvaluationError as fault:
        raise bad_expression(expression, str(fault)) from None
    except UNDECIDED as fault:
        raise bad_expression(
            expression, f"it cannot be evaluated on this input ({type(fault).__name__})"
        ) from None
    return [(_PLAIN.get(kind, kind), value) for kind, value, _ in found if value is not None]


def evaluate(expression: str, resource: dict[str, Any]) -> list[Any]:
    """The values of any FHIRPath expression on a resource, as JSON with Decimals; raises `bad_expression` (400).

    What the compiler does not know goes to the general engine.
    """
    try:
        return [value for _, value in values(expression, resource)]
    except UnknownFunction:
        return general.evaluate(expression, resource)


@lru_cache(maxsize=1024)
def _evaluated(expression: str, base: str) -> Compiled:
    try:
        return Compiler(expression, base).compile(parse(expression), base)
    except RecursionError:
        raise bad_expression(expression, "it is too long") from None


_PLAIN = {
    "System.Boolean": "boolean",
    "System.String": "string",
    "System.Integer": "integer",
    "System.Decimal": "decimal",
    "System.Date": "date",
    "System.DateTime": "dateTime",
    "System.Time": "time",
    "System.Quantity": "Quantity",
}


def _compiled(expression: str, base: str | None, *, search: bool = False) -> Compiled:
    try:
        return Compiler(expression, base, search=search).compile(parse(expression), base)
    except UnknownFunction as unknown:
        raise bad_expression(expression, f"the function {unknown}() is not known") from None
    except RecursionError:
        raise bad_expression(expression, "it is too long") from None
