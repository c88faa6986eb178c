"""Token parameters: codes, identifiers, booleans.

Stored as strings: `system|code` and `code`, or, where there is no system, `|code` and `code`; `system|` where there
is no code. A `|` or backslash inside system or code is escaped, so that no two of these are spelled the same.

http://hl7.org/fhir/R4/search.html#token
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from bson.regex import Regex

from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import split_bar
from resources import outcome
from resources.search_elements import types
from resources.search_parameters import SearchParameter, alternatives

_CONTACT = re.compile(r"\w+\.telecom\.where\(system='\w+'\)")
_WITHOUT_CASE = (frozenset({"string"}), frozenset({"ContactPoint"}))
_ESCAPED = re.compile(r"\\.", re.DOTALL)


def index(type_name: str, value: Any, site: Site) -> list[str]:
    """The terms of a CodeableConcept, Coding, Identifier, ContactPoint or primitive; none for other types."""
    if type_name == "CodeableConcept":
        codings = value.get("coding", ())
        if len(codings) == 1:
            return terms(codings[0].get("system"), codings[0].get("code"))
        return [term for coding in codings for term in terms(coding.get("system"), coding.get("code"))]
    if type_name == "Coding":
        return terms(value.get("system"), value.get("code"))
    if type_name == "Identifier":
        return terms(value.get("system"), value.get("value"))
    if type_name == "ContactPoint":
        return terms(None, value.get("value"))
    if isinstance(value, bool):
        return terms(None, "true" if value else "false")
    return terms(None, str(value)) if isinstance(value, str | int | Decimal) else []


def index_of_codes(system_of: Callable[[str], str | None]) -> Callable[[str, Any, Site], list[str]]:
    """`index` for an element of type code, whose codes have the system that its value set gives them.

    http://hl7.org/fhir/R4/search.html#token: the system of a code is implicit.
    """

    def index_code(type_name: str, value: Any, site: Site) -> list[str]:
        return terms(system_of(value), value) if isinstance(value, str) else []

    return index_code


def index_without_case(type_name: str, value: Any, site: Site) -> list[str]:
    """`index` for a parameter that `ignores_case`."""
    text = value.get("value") if isinstance(value, dict) else value
    return terms(None, text.lower()) if isinstance(text, str) else []


@cache
def ignores_case(parameter: SearchParameter) -> bool:
    """Whether all that the parameter is about are strings, or ways to contact somebody (e-mail addresses).

    http://hl7.org/fhir/R4/search.html#token: if the underlying data type is string then case does not matter.
    """
    parts = [(base, each) for base in parameter.base for each in alternatives(parameter, base)]
    return bool(parts) and all(
        _CONTACT.fullmatch(each) or types(parameter, base) in _WITHOUT_CASE for base, each in parts
    )


def terms(system: str | None, code: str | None) -> list[str]:
    """What a pair of system and code is found by."""
    if code is None:
        return [] if system is None else [f"{escape(system)}|"]
    code = escape(code)
    return [code, f"|{code}"] if system is None else [f"{escape(system)}|{code}", code]


def condition(clause: Clause, site: Site) -> Condition:
    """Documents that hold one of the clause's tokens, or with `:not` hold none of them."""
    wanted = wanted_terms(clause)
    if clause.modifier == "not":
        return {clause.field: {"$nin": wanted}}
    return any_of(clause.field, wanted)


def any_of(field: str, wanted: list[Any]) -> Condition:
    """Documents whose field, a value or a list of them, has one of the wanted values."""
    return {field: wanted[0]} if len(wanted) == 1 else {field: {"$in": wanted}}


def wanted_terms(clause: Clause) -> list[str | Regex[str]]:
    """What to look for among stored terms, for each of the clause's values."""
    folded = ignores_case(clause.parameter)
    return [_wanted(clause.name, value.lower() if folded else value) for value in clause.values]


def _wanted(name: str, value: str) -> str | Regex[str]:
    parts = split_bar(value)
    if len(parts) == 1:
        return escape(parts[0])
    if len(parts) > 2:
        raise outcome.bad_parameter(
            name, f"'{value[:64]}' has more than one '|'; one that is meant literally is \\|"
        )
    system, code = parts
    if not system and not code:
        raise outcome.bad_parameter(name, "'|' has neither system nor code")
    if not code:
        return Regex("^" + re.escape(f"{escape(system)}|"))
    return f"{escape(system)}|{escape(code)}"


def escape(text: str) -> str:
    """Text as part of a term."""
    if "|" in text or "\\" in text:
        return text.replace("\\", "\\\\").replace("|", "\\|")
    return text


def without_escapes(term: str) -> str:
    """A term without what is escaped in it: a bar that is left is one between system and code."""
    return _ESCAPED.sub("", term)
