"""String parameters: names, addresses and other text.

Stored as the normalized text (no case, no accents, white space as one space), a separator, and the text itself: what
begins with, contains or is exactly something is all found in this one value.

http://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from bson.regex import Regex

from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.token import any_of
from fhir_server.search.values import unescape
from resources import outcome

MODIFIERS = ("exact", "contains")

SEPARATOR = "\x1f"

_PARTS = {
    "HumanName": ("family", "given", "prefix", "suffix", "text"),
    "Address": ("line", "city", "district", "state", "postalCode", "country", "text"),
}
_LONGEST = 8 * 1024
"""Single signs may stand for whole words; MongoDB takes no expression of more than 32 kB."""

_SPACE = re.compile(r"\s+")


def index(type_name: str, value: Any, site: Site) -> list[str]:
    """What a text, or any part of a HumanName or Address, is found by; nothing for other types."""
    return [f"{normalize(text)}{SEPARATOR}{text}" for text in _texts(type_name, value)]


def normalize(text: str) -> str:
    """Without case and accents, white space as single spaces, none at the start.

    What a text begins with, normalized, is what the normalized text begins with.
    """
    plain = text.lower() if text.isascii() else _without_accents(_without_accents(text).casefold())
    return _SPACE.sub(" ", plain.replace(SEPARATOR, " ")).lstrip()


def condition(clause: Clause, site: Site) -> Condition:
    """Documents with a text that begins with one of the clause's values; `:contains` it anywhere; `:exact` is it."""
    return any_of(clause.field, [_wanted(clause, unescape(value)) for value in clause.values])


def _wanted(clause: Clause, text: str) -> str | Regex[str]:
    if clause.modifier == "exact":
        return f"{normalize(text)}{SEPARATOR}{text}"
    return beginning(clause, text, anywhere=clause.modifier == "contains")


def beginning(clause: Clause, text: str, *, anywhere: bool = False) -> Regex[str]:
    """What matches normalized texts that begin with the text, or hold it anywhere."""
    plain = normalize(text)
    if not plain:
        raise outcome.bad_parameter(clause.name, "has nothing to look for but space and accents")
    if len(plain.encode()) > _LONGEST:
        raise outcome.bad_parameter(
            clause.name, f"is longer than {_LONGEST} bytes once accents are taken apart"
        )
    return Regex(re.escape(plain) if anywhere else f"^{re.escape(plain)}")


def _without_accents(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def _texts(type_name: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    for name in _PARTS.get(type_name, ()):
        part = value.get(name)
        if isinstance(part, str):
            yield part
        elif part is not None:
            yield from (each for each in part if each is not None)
