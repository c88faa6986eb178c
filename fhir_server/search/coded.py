"""What token parameters can be asked for besides codes: text, types of identifiers, value sets, hierarchies.

Stored in fields of their own: `<code>:text` holds the normalized texts and displays, `<code>:of-type` holds
`system|code|value` for each type of an identifier.

http://hl7.org/fhir/R4/search.html#token, http://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from bson.regex import Regex

from fhir_server.search import token
from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.string import beginning, normalize
from fhir_server.search.values import split_bar, unescape
from resources import outcome, terminology

MODIFIERS = ("not", "text", "of-type", "in", "not-in", "above", "below")

TEXT = "text"
OF_TYPE = "of-type"

_MOST_CODES = 10_000
_SHORT = 256


def further(type_name: str, value: Any, found: dict[str, list[str]]) -> None:
    """Adds what lies in fields of its own, by the name after the colon."""
    if type_name == "CodeableConcept":
        texts = [value.get("text"), *(each.get("display") for each in value.get("coding", ()))]
    elif type_name == "Coding":
        texts = [value.get("display")]
    elif type_name == "Identifier" and "type" in value:
        kind = value["type"]
        texts = [kind.get("text")]
        if (number := value.get("value")) is not None:
            types = [_typed(each, number) for each in kind.get("coding", ()) if "code" in each]
            found.setdefault(OF_TYPE, []).extend(types)
    else:
        return
    for text in texts:
        if text is not None:
            found.setdefault(TEXT, []).append(_normalized(text) if len(text) <= _SHORT else normalize(text))


_normalized = lru_cache(4096)(normalize)
"""Displays come again and again."""


def _typed(coding: dict[str, Any], number: str) -> str:
    return "|".join(token.escape(each) for each in (coding.get("system", ""), coding["code"], number))


def condition(clause: Clause, site: Site) -> Condition:
    """Documents that a clause on a token parameter asks for, with any modifier."""
    match clause.modifier:
        case "text":
            return token.any_of(
                f"{clause.field}:{TEXT}", [beginning(clause, unescape(each)) for each in clause.values]
            )
        case "of-type":
            return token.any_of(
                f"{clause.field}:{OF_TYPE}", [_of_type(clause, each) for each in clause.values]
            )
        case "in":
            return token.any_of(clause.field, _of_value_sets(clause, site))
        case "not-in":
            return {clause.field: {"$nin": _of_value_sets(clause, site)}}
        case "above":
            return token.any_of(clause.field, list(_nested(clause, terminology.ancestors)))
        case "below":
            return token.any_of(clause.field, list(_nested(clause, terminology.descendants)))
    return token.condition(clause, site)


def _of_type(clause: Clause, value: str) -> str:
    parts = split_bar(value)
    if len(parts) != 3 or not all(parts):
        raise outcome.bad_parameter(clause.name, f"'{value[:64]}' is not of the form system|code|value")
    return "|".join(token.escape(each) for each in parts)


def _of_value_sets(clause: Clause, site: Site) -> list[str | Regex[str]]:
    """All tokens of the value sets: those of R4, and what `site.value_set` knows besides."""
    found: list[str | Regex[str]] = []
    for value in clause.values:
        url = unescape(value)
        expansion = site.value_set(url) or terminology.expansion(url)
        if expansion is None:
            text = f"Parameter '{clause.name}': the codes of '{url[:256]}' are not known here. Known are value sets "
            raise outcome.not_supported(text + "of R4 that do not draw on code systems outside of it")
        for system, codes in expansion.items():
            whole = Regex("^" + re.escape(f"{token.escape(system)}|"))
            found += [whole] if codes is None else [token.terms(system, code)[0] for code in codes]
    if len(found) > _MOST_CODES:
        raise outcome.bad_parameter(clause.name, f"has more than {_MOST_CODES} codes")
    return found


def _nested(clause: Clause, related: Callable[[str, str], list[str]]) -> Iterator[str]:
    for value in clause.values:
        parts = split_bar(value)
        if len(parts) != 2 or not all(parts):
            raise outcome.bad_parameter(clause.name, f"'{value[:64]}' is not of the form system|code")
        system, code = parts
        if not terminology.has_hierarchy(system):
            text = f"Parameter '{clause.name}': which codes of '{system[:256]}' are above others is not known here"
            raise outcome.not_supported(f"{text}. It is for code systems of R4 that nest codes")
        for each in related(system, code):
            yield token.terms(system, each)[0]
