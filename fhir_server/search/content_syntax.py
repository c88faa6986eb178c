"""`_content` taken apart.

http://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

from dataclasses import dataclass

from fhir_server.search.clause import CONTENT
from fhir_server.search.text import wanted_words
from fhir_server.search.values import split_or, unescape


@dataclass(frozen=True, slots=True)
class Content:
    """Any of the alternatives: all words of it are in the resource."""

    alternatives: tuple[frozenset[str], ...]


def parse(value: str) -> Content:
    """FHIRError 400 for a value without a word."""
    return Content(tuple(wanted_words(CONTENT, unescape(each)) for each in split_or(value)))
