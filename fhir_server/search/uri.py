"""Uri parameters: exact, or by their path.

Stored as they are; a canonical that names a version also without it.

http://hl7.org/fhir/R4/search.html#uri
"""

from __future__ import annotations

import re
from typing import Any

from bson.regex import Regex

from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.token import any_of
from fhir_server.search.values import unescape
from resources import outcome
from resources.reference import parse_canonical

MODIFIERS = ("above", "below")

_MOST_OF_ANCESTORS = 100_000
"""Characters of all ancestors of a clause's URIs: their sum grows with the square of the number of segments."""


def index(type_name: str, value: Any, site: Site) -> list[str]:
    if not isinstance(value, str):
        return []
    if type_name == "canonical" and "|" in value:
        return [value, parse_canonical(value)[0]]
    return [value]


def index_source(type_name: str, value: Any, site: Site) -> list[str]:
    """A Meta.source with and without its fragment, and the fragment alone, which tells the message.

    http://hl7.org/fhir/R4/resource-definitions.html#Meta.source
    """
    source, mark, fragment = value.partition("#") if isinstance(value, str) else ("", "", "")
    if not mark or not source or not fragment:
        return index(type_name, value, site)
    return [value, source, f"#{fragment}"]


def condition(clause: Clause, site: Site) -> Condition:
    """Documents with one of the clause's URIs; `:below` with it or one in its path, `:above` with one it is below."""
    wanted: list[str | Regex[str]] = []
    for value in clause.values:
        text = unescape(value)
        if clause.modifier == "above":
            wanted += _above(text)
        else:
            wanted.append(text)
        if clause.modifier == "below":
            wanted.append(Regex(f"^{re.escape(text.rstrip('/'))}/"))
    if clause.modifier == "above" and sum(map(len, map(str, wanted))) > _MOST_OF_ANCESTORS:
        raise outcome.bad_parameter(clause.name, "has too many, too long path segments")
    return any_of(clause.field, wanted)


def _above(text: str) -> list[str]:
    """`http://a.org/b/c` → itself, `http://a.org/b`, `http://a.org`, each also with a slash at the end."""
    start = text.find("://") + 3 if "://" in text else len(text)
    places = [match.start() for match in re.finditer("/", text) if match.start() >= start]
    ancestors = [text[:place] for place in places]
    return sorted({text, *ancestors, *(f"{each}/" for each in ancestors)})
