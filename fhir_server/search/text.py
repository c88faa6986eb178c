"""The parameter `_text`: words of the narrative.

Stored as the list of its words, without case and accents, each once, and not more than 2,000 of them.

http://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition
from fhir_server.search.string import normalize
from fhir_server.search.values import unescape
from resources import outcome

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
    plain = normalize(_TAG.sub(" ", div[:_LONGEST]))
    distinct = dict.fromkeys(each[0] for each in _WORD.finditer(plain) if len(each[0]) <= _LONGEST_WORD)
    return list(islice(distinct, _MOST_WORDS))


def condition(clause: Clause) -> Condition:
    """Documents whose narrative has all words of one of the clause's values."""
    alternatives: list[Condition] = []
    for value in clause.values:
        wanted = sorted(set(_WORD.findall(normalize(unescape(value)))))
        if not wanted:
            raise outcome.bad_parameter(clause.name, f"'{value[:64]}' has no word to look for")
        alternatives.append({clause.field: {"$all": wanted}})
    return alternatives[0] if len(alternatives) == 1 else {"$or": alternatives}
