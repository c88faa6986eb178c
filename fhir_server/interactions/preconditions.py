"""If-Match, If-None-Match and the criteria of conditional interactions.

http://hl7.org/fhir/R4/http.html#concurrency, #cond-update, #ccreate
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest
from fhir_server.interactions import indexed
from fhir_server.interactions.asking import planned
from fhir_server.interactions.etags import ANY
from fhir_server.interactions.pairs import pairs
from fhir_server.search import clauses, joins, query, value_sets
from fhir_server.search.ask import everything
from resources.outcome import bad_request, multiple_matches, precondition_failed

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit

_BEFORE = re.compile(r"([A-Za-z]*)\?")


def check_if_match(request: FhirRequest, current: Document | None) -> None:
    """412 unless the current version is one of those in If-Match."""
    if request.if_match is None:
        return
    if current is None or "deleted" in current:
        raise precondition_failed(f"If-Match: {request.where} does not exist")
    version = str(current["v"])
    if ANY not in request.if_match and version not in request.if_match:
        asked = ", ".join(sorted(request.if_match))
        text = (
            f"If-Match: {request.where} is at version {version}, not at {asked}. Read it again, then repeat"
        )
        raise precondition_failed(text)


def check_if_none_match(request: FhirRequest, current: Document | None) -> None:
    """412 on a write when what must not exist exists (`If-None-Match: *`), or is at a version named."""
    if request.if_none_match is None or current is None or "deleted" in current:
        return
    if ANY in request.if_none_match or str(current["v"]) in request.if_none_match:
        raise precondition_failed(f"If-None-Match: {request.where} exists, at version {current['v']}")


def criteria_of(request: FhirRequest) -> tuple[tuple[str, str], ...] | None:
    """The search criteria of a conditional interaction; None when the request names its resource by id."""
    if request.interaction == "create":
        return None if request.if_none_exist is None else parsed(request.if_none_exist, request.resource_type)
    return None if request.id is not None else request.query


def parsed(text: str, resource_type: str | None = None) -> tuple[tuple[str, str], ...]:
    """`identifier=a|b&active=true`, also with a leading `?` or `Patient?`, as name and value pairs; 400 where it is
    malformed, or about another type than `resource_type`.
    """
    before = _BEFORE.match(text)
    if before is not None:
        if before[1] and resource_type is not None and before[1] != resource_type:
            raise bad_request(f"The criteria '{text[:200]}' are about {before[1]}, not about {resource_type}")
        text = text[before.end() :]
    if not all("=" in part for part in text.split("&")):
        raise bad_request(f"'{text[:200]}' is not a search: name=value&name=value was expected")
    return pairs(text, "search")


def criteria_search(
    ctx: Context, resource_type: str, criteria: tuple[tuple[str, str], ...]
) -> clauses.Search:
    """The parsed criteria; 412 when they select nothing in particular."""
    search = clauses.parse(resource_type, list(criteria), table=ctx.site.table, lenient=False)
    if not search.clauses and not search.joins:
        raise precondition_failed(
            f"The criteria of a conditional interaction on {resource_type} name no search parameter"
        )
    return search


async def matches(
    ctx: Context, unit: Unit, resource_type: str, criteria: tuple[tuple[str, str], ...], *, most: int = 1
) -> list[Document]:
    """The current documents that match; 412 when they are more than `most`.

    http://hl7.org/fhir/R4/http.html#ccreate
    """
    if unit.is_supposed_without_match(resource_type, criteria):
        return []
    search = criteria_search(ctx, resource_type, criteria)
    await indexed.check(ctx, unit, search)
    ctx = ctx.at(await planned(unit, value_sets.known([search], ctx.site, everything)))
    joined = await planned(unit, joins.conditions(search, ctx.site, everything))
    found = await unit.find(resource_type, query.filter_of(search, ctx.site, joined=joined), limit=most + 1)
    if len(found) > most:
        raise multiple_matches("&".join(f"{name}={value}" for name, value in criteria), most)
    return found


def lock_keys(ctx: Context, resource_type: str, criteria: tuple[tuple[str, str], ...]) -> list[str]:
    """The keys under which interactions with the same criteria take turns: those of the identifiers where
    there are some, so that criteria which say more about one of them, or name others too, take turns as well.
    """
    search = criteria_search(ctx, resource_type, criteria)
    by_identifier = tuple(clause for clause in criteria if clause[0] == "identifier")
    if by_identifier:
        search = criteria_search(ctx, resource_type, by_identifier)
    if len(by_identifier) == 1 and len(search.clauses) == 1:
        each = [(("identifier", value),) for value in sorted(set(search.clauses[0].values))]
        searches = [criteria_search(ctx, resource_type, one) for one in each]
    else:
        searches = [search]
    return [f"criteria {resource_type}?{search.normalized()}" for search in searches]
