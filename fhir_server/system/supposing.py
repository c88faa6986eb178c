"""What a transaction with a key takes for granted: that it was not done before, and that what it says is new is new.

Nearly always it is so; where it is not, the commit fails, and the transaction is performed again with its eyes open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest
from fhir_server.interactions import preconditions
from fhir_server.interactions.etags import ANY
from fhir_server.search import query
from fhir_server.store.indexes import DONE
from fhir_server.system.transaction_entries import Entry

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit


def needs_no_isolation(ctx: Context, request: FhirRequest, asked: Sequence[Entry]) -> bool:
    """Whether all it writes is named by id, or said to be the first that matches, so that it can commit in one MongoDB
    transaction with others like it: who wrote in between is met as a conflict, and then it is performed by itself
    (docs/adr/0005-group-commit.md).
    """
    if not request.plain or ctx.settings.referential_integrity:
        return False
    written = Counter(entry.request.resource_type for entry in asked)
    return all(
        entry.request.interaction in {"create", "update"}
        and (preconditions.criteria_of(entry.request) is None or _is_first(entry, written))
        for entry in asked
    )


def _is_first(entry: Entry, written: Mapping[str | None, int]) -> bool:
    """Whether it must be what its criteria match, and nothing else in the Bundle can be that, too."""
    request = entry.request
    return (
        request.interaction == "update"
        and request.if_none_match == frozenset({ANY})
        and written[request.resource_type] == 1
        and all(name == "identifier" for name, _ in request.query)
    )


def suppose_no_match(ctx: Context, asked: Sequence[Entry], unit: Unit) -> None:
    """What is said to be the first that matches nearly always is: it is looked at as part of the commit."""
    for entry in asked:
        criteria = preconditions.criteria_of(entry.request)
        if criteria is not None:
            resource_type = str(entry.request.resource_type)
            search = preconditions.criteria_search(ctx, resource_type, criteria)
            unit.suppose_no_match(resource_type, criteria, query.filter_of(search, ctx.site))


def suppose_absent(request: FhirRequest, asked: Sequence[Entry], unit: Unit) -> None:
    """What is to be done once, and what is said to be new, nearly always is: it is looked at where a commit fails."""
    assert request.key is not None
    unit.suppose_absent(DONE, [request.key])
    for entry in asked:
        made = entry.request
        if made.interaction != "update" or made.id is None or made.resource_type is None:
            continue
        if made.if_none_match == frozenset({ANY}) or (request.plain and made.if_match is None):
            unit.suppose_absent(made.resource_type, [made.id])
