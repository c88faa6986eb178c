"""The parameter `_text`: words of the narrative.

Stored as the list of its words, without case and accents, each once, and not more than 2,000 of them.

http://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from fhir_server.search.string import normalize
from fhir_server.search.values import unescape
from resources import outcome

if TYPE_CHECKING:
    from fhir_server.search.clause import Clause
    from fhir_server.search.site import Condition

MODIFIERS: tuple[str, ...] = ()

_TAG = re.compile(r"<[^>]*>|&[#\w]+;")
_WORD = re.compile(r"\w+")
_MOST_WORDS = 2000
_LONGEST_WORD = 64
_LONGEST = 256 * 1024


def words(resource: dict[str, Any]) -> list[str]:
    """The words of a resource's narrative; none without."""
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    if not isinstance(div, str):
        return []
    found = _WORD.finditer(normalize(plain(div[:_LONGEST])))
    distinct = dict.fromkeys(each[0] for each in found if len(each[0]) <= _LONGEST_WORD)
    return list(islice(distinct, _MOST_WORDS))


def plain(div: str) -> str:
    """XHTML without its tags."""
    return _TAG.sub(" ", div)


def words_of(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(normalize(text)))


def wanted_words(name: str, text: str) -> frozenset[str]:
    """The words to look for; FHIRError 400 where there are none."""
    found = words_of(text)
    if not found:
        raise outcome.bad_parameter(name, f"'{text[:64]}' has no word to look for")
    return found


def condition(clause: Clause) -> Condition:
    """Documents whose narrative has all words of one of the clause's values."""
    alternatives: list[Condition] = [
        {clause.field: {"$all": sorted(wanted_words(clause.name, unescape(value)))}}
        for value in clause.values
    ]
    return alternatives[0] if len(alternatives) == 1 else {"$or": alternatives}
