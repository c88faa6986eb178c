"""The general engine: what the compiler does not know is evaluated by fhirpathpy, Decimals kept and faults told.

http://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import fhirpathpy
from fhirpathpy.models import models

from resources.fhirpath.lexer import bad_expression


def evaluate(expression: str, resource: dict[str, Any]) -> list[Any]:
    """The values of an expression on a resource, as JSON; raises `bad_expression` (400)."""
    copied = deepcopy(resource)  # the engine writes into its input
    try:
        found = fhirpathpy.evaluate(copied, expression, {"resource": copied}, models["r4"], _options())
    except RecursionError:
        raise bad_expression(expression, "it is nested too deeply") from None
    except Exception as fault:  # the engine raises whatever its input makes it stumble over
        raise bad_expression(expression, _reason(str(fault))) from None
    return [exact(value) for value in found]


def _reason(fault: str) -> str:
    """What may be told of a fault: its text can hold values of the resource."""
    unknown = fault.removeprefix("Not implemented: ")
    return (
        f"the function {unknown[:64]}() is not known"
        if unknown != fault
        else "it cannot be evaluated on this input"
    )


def exact(value: Any) -> Any:
    """The value without floats and without the engine's own types."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [exact(each) for each in value]
    if isinstance(value, dict):
        return {name: exact(each) for name, each in value.items()}
    if value is None or isinstance(value, str | int | Decimal):
        return value
    return str(value)


def _options() -> dict[str, Any]:
    """The functions of FHIR that the engine lacks."""
    nullary: dict[int, list[str]] = {0: []}
    return {
        "userInvocationTable": {
            "hasValue": {"fn": _has_value, "arity": nullary},
            "htmlChecks": {"fn": lambda _: [True], "arity": nullary},
            "resolve": {"fn": lambda _: [], "arity": nullary},
        }
    }


def _has_value(nodes: list[Any]) -> list[bool]:
    values = [getattr(node, "data", node) for node in nodes]
    return [len(values) == 1 and values[0] is not None and not isinstance(values[0], dict | list)]
