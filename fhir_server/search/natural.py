"""The order of a search that asks for none.

R4 leaves it to the server. Results come by id, which for ids of the server is by time of creation; but what a date
narrows, and has an index that ends with that date, comes newest first: in the order of the index, so that a page
costs a page and not a look at everything that matches. The `self` link says so.

http://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

from dataclasses import replace

from capability.indexes import CURATED, Index
from fhir_server.search.clause import Clause
from fhir_server.search.clauses import Search

_FEW = 10
"""Values of one parameter up to which their parts of an index are merged in order."""


def ordered(search: Search) -> Search:
    """The search with the order that it is answered in, where that is not by id."""
    if search.sort or search.only_total:
        return search
    narrowed = {
        each.parameter.code
        for each in search.clauses
        if each.parameter.type == "date" and each.modifier is None
    }
    for date in _dates(search):
        if date in narrowed:
            return replace(search, sort=((date, -1),))
    return search


def has_index(search: Search) -> bool:
    """Whether the one date that a search is sorted by ends an index that the search narrows from its beginning."""
    return len(search.sort) == 1 and search.sort[0][0] in _dates(search)


def is_index(search: Search) -> bool:
    """Whether a page is a stretch of one index and nothing else: it asks for what the index has, in its order."""
    if len(search.sort) != 1 or search.joins or search.compartment:
        return False
    asked = {each.parameter.code for each in search.clauses if _is_equal(each)}
    return len(asked) == len(search.clauses) and any(
        each.date == search.sort[0][0] and asked.issubset(each.parameters) for each in _narrowed(search)
    )


def _is_equal(clause: Clause) -> bool:
    """Whether the values stand in the field of the parameter as they are: not `system|`, nor a version."""
    unlike = {
        "token": lambda value: value.endswith("|"),
        "reference": lambda value: "|" in value or "/_history/" in value,
    }
    is_unlike = unlike.get(clause.parameter.type, lambda _: False)
    return clause.modifier is None and not any(map(is_unlike, clause.values))


def _dates(search: Search) -> list[str]:
    return [each.date for each in _narrowed(search) if each.date]


def _narrowed(search: Search) -> list[Index]:
    """Indexes that end with a date and are narrowed from their beginning."""
    exact = {
        each.parameter.code
        for each in search.clauses
        if each.parameter.type in {"reference", "token"}
        and each.modifier is None
        and len(each.values) <= _FEW
    }
    indexes = CURATED.get(search.resource_type, ())
    return [each for each in indexes if each.date and exact.issuperset(each.parameters[:-1])]
