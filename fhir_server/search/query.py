"""The clauses of a search as one MongoDB filter.

http://hl7.org/fhir/R4/search.html#combining
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fhir_server.search import (
    coded,
    compartment,
    date,
    near,
    number,
    quantity,
    reference,
    string,
    text,
    token,
    uri,
)
from fhir_server.search import composite as composites
from fhir_server.search.clause import Clause
from fhir_server.search.clauses import Search
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import unescape
from resources import outcome

ALIVE: Condition = {"deleted": {"$ne": True}}
"""Deleted resources stay in their collection as markers; no search finds them."""

_CONDITIONS: dict[str, Callable[[Clause, Site], Condition]] = {
    "date": date.condition,
    "number": number.condition,
    "quantity": quantity.condition,
    "reference": reference.condition,
    "special": near.condition,
    "string": string.condition,
    "token": coded.condition,
    "uri": uri.condition,
}


def _composite(clause: Clause, site: Site) -> Condition:
    return composites.condition(clause, lambda part: _CONDITIONS[part.parameter.type](part, site))


_CONDITIONS["composite"] = _composite

_MODIFIERS: dict[str, Sequence[str]] = {
    "composite": composites.MODIFIERS,
    "date": date.MODIFIERS,
    "number": number.MODIFIERS,
    "quantity": quantity.MODIFIERS,
    "special": near.MODIFIERS,
    "string": string.MODIFIERS,
    "token": coded.MODIFIERS,
    "uri": uri.MODIFIERS,
}


def filter_of(
    search: Search, site: Site, *, extra: Sequence[Condition] = (), joined: Sequence[Condition] = ()
) -> Condition:
    """The filter for a collection of stored documents: what is alive, meets all clauses and all `extra` conditions
    (of access control). `joined` are the conditions that `joins.conditions` found for the joins of the search.

    FHIRError 400 names the parameter that cannot be understood or is not supported.
    """
    if len(joined) != len(search.joins):
        raise ValueError("joins are resolved first: a search without them would find too much")
    return together([*asked(search, site), *joined], extra)


def asked(search: Search, site: Site) -> list[Condition]:
    """What documents have to meet without looking at others: its compartment and its clauses."""
    inside = [compartment.condition(search.compartment, search.resource_type)] if search.compartment else []
    return [*inside, *(condition(clause, site) for clause in search.clauses)]


def together(conditions: Sequence[Condition], extra: Sequence[Condition] = ()) -> Condition:
    """What is alive and meets all conditions, those of access control first."""
    return {"$and": [*extra, *conditions, ALIVE]} if conditions or extra else ALIVE


def condition(clause: Clause, site: Site) -> Condition:
    """The condition of one clause."""
    if clause.modifier == "missing":
        if clause.parameter.type == "composite":
            return composites.missing(clause, absent=_is_true(clause))
        return {_field(clause): {"$exists": not _is_true(clause)}}
    if clause.parameter.code == "_id":
        _check_modifier(clause, ("not",))
        ids = [unescape(value) for value in clause.values]
        return {"_id": {"$nin": ids}} if clause.modifier == "not" else token.any_of("_id", ids)
    if clause.parameter.code == "_lastUpdated":
        _check_modifier(clause, ())
        return date.instant_condition(clause, "t", site)
    if clause.parameter.code == "_text":
        _check_modifier(clause, text.MODIFIERS)
        return text.condition(clause)
    if clause.parameter.type != "reference":
        _check_modifier(clause, _MODIFIERS[clause.parameter.type])
    return _CONDITIONS[clause.parameter.type](clause, site)


def _field(clause: Clause) -> str:
    return {"_id": "_id", "_lastUpdated": "t"}.get(clause.parameter.code, clause.field)


def _is_true(clause: Clause) -> bool:
    if clause.values not in {("true",), ("false",)}:
        raise outcome.bad_parameter(
            clause.name, f"is either true or false, not '{','.join(clause.values)[:64]}'"
        )
    return clause.values == ("true",)


def _check_modifier(clause: Clause, possible: Sequence[str]) -> None:
    if clause.modifier is not None and clause.modifier not in possible:
        known = ", ".join(f":{each}" for each in (*possible, "missing"))
        text = f"Parameter '{clause.name}': ':{clause.modifier}' is not supported here. Possible: {known}"
        raise outcome.not_supported(text)
