"""What token parameters can be asked for besides codes: text, types of identifiers, value sets, hierarchies.

Stored in fields of their own: `<code>:text` holds the normalized texts and displays, `<code>:of-type` holds
`system|code|value` for each type of an identifier.

http://hl7.org/fhir/R4/search.html#token, http://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from bson.regex import Regex

from fhir_server.search import codes, concepts, token
from fhir_server.search.clause import Clause
from fhir_server.search.concepts import Unknown
from fhir_server.search.site import Condition, Site
from fhir_server.search.string import beginning, normalize
from fhir_server.search.values import split_bar, unescape
from resources import outcome

MODIFIERS = ("not", "text", "of-type", "in", "not-in", "above", "below")

TEXT = "text"
OF_TYPE = "of-type"

TYPES = frozenset({"CodeableConcept", "Coding", "Identifier"})
"""Types with something that lies in fields of its own"""

_MOST_CODES = 10_000
_MOST_EXCLUDED = 24 * 1024
"""Bytes: MongoDB takes no expression of more than 32 kB"""
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
            return token.any_of(clause.field, list(_nested(clause, site, above=True)))
        case "below":
            return token.any_of(clause.field, list(_nested(clause, site, above=False)))
    return token.condition(clause, site)


def _of_type(clause: Clause, value: str) -> str:
    parts = split_bar(value)
    if len(parts) != 3 or not all(parts):
        raise outcome.bad_parameter(clause.name, f"'{value[:64]}' is not of the form system|code|value")
    return "|".join(token.escape(each) for each in parts)


def _of_value_sets(clause: Clause, site: Site) -> list[str | Regex[str]]:
    """All tokens of the value sets.

    http://hl7.org/fhir/R4/search.html#modifiers: of the URI of a value set, or of the id of one that is stored here.
    """
    found: list[str | Regex[str]] = []
    count = 0
    for value in clause.values:
        url = unescape(value)
        try:
            members = site.value_set(url)
        except Unknown as reason:
            raise outcome.not_supported(f"Parameter '{clause.name}': {reason}") from None
        if members is None:
            text = f"Parameter '{clause.name}': the codes of '{url[:256]}' are not known here. Known are value sets "
            raise outcome.not_supported(
                f"{text}that are stored here, and those of R4 that do not draw on code systems outside of it"
            )
        count += codes.size(members)
        if count > _MOST_CODES:
            raise outcome.bad_parameter(clause.name, f"has more than {_MOST_CODES:,} codes")
        for system, some in members.items():
            found += _tokens(clause, system, some)
    return found


def _tokens(clause: Clause, system: str, those: codes.Codes) -> list[str | Regex[str]]:
    before = f"{token.escape(system)}|"
    if not those.others:
        return [before + token.escape(each) for each in sorted(those.names)]
    less = "|".join(re.escape(token.escape(each)) for each in sorted(those.names))
    if len(less.encode()) > _MOST_EXCLUDED:
        raise outcome.bad_parameter(clause.name, f"excludes too many codes of '{system[:256]}'")
    return [Regex(f"^{re.escape(before)}" + (f"(?!(?:{less})$)" if less else ""))]


def _nested(clause: Clause, site: Site, *, above: bool) -> Iterator[str]:
    """The code and those above, or below it, in a code system that is stored here or part of R4."""
    for value in clause.values:
        parts = split_bar(value)
        if len(parts) != 2 or not all(parts):
            raise outcome.bad_parameter(clause.name, f"'{value[:64]}' is not of the form system|code")
        system, code = parts
        known = site.concepts(system) or concepts.of_r4(system)
        if known is None:
            text = f"Parameter '{clause.name}': which codes of '{system[:256]}' are above others is not known here"
            raise outcome.not_supported(
                f"{text}. It is for code systems that are stored here, and those of R4 that nest codes"
            )
        for each in sorted(known.above(code) if above else known.below(code)):
            yield token.terms(system, each)[0]
