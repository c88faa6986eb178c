"""FHIRPath, compiled: an expression becomes Python closures once and is called with resources as they are in JSON.

http://hl7.org/fhirpath/N1/, http://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from resources.fhirpath.compiler import Compiler
from resources.fhirpath.expression import Compiled, Environment
from resources.fhirpath.functions import UnknownFunction
from resources.fhirpath.lexer import bad_expression
from resources.fhirpath.model import type_of
from resources.fhirpath.parser import parse
from resources.fhirpath.values import EvaluationError, Item

Path = Callable[..., list[tuple[str, Any]]]
Check = Callable[..., bool | None]


@lru_cache(maxsize=8192)
def compile_path(expression: str, base: str) -> Path:
    """The expression for inputs of type `base` (`Observation`, `Observation.component`), as search parameters mean it.

    The closure takes the input, and the resource it stands in where that is another (`%resource`); it gives the
    values as (type, JSON value) pairs: `("Quantity", {…})`, `("code", "final")`, `("Patient.contact", {…})`.
    Of a union only the branches that apply to `base` count; `(x as T)` reads as `x.ofType(T)`; `resolve()` tells
    types by the reference's text. Raises `bad_expression` (400).
    http://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
    """
    run = _compiled(expression, base, search=True).run

    def path(input_value: dict[str, Any], resource: dict[str, Any] | None = None) -> list[tuple[str, Any]]:
        start: Item = (base, input_value, None)
        whole: Item = start if resource is None else (type_of(resource), resource, None)
        try:
            found = run(start, Environment(whole))
        except EvaluationError:
            return []  # a resource that the expression cannot be applied to is not found by it
        return [(_PLAIN.get(kind, kind), value) for kind, value, _ in found if value is not None]

    return path


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
