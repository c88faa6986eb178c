"""The `find` that importers are handed: bounded look-ups straight in the store.

All that several messages ask in the same moment goes out as one command (docs/adr/0017-searches-together.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fhir_server.interactions.asking import together
from fhir_server.interactions.preconditions import criteria_search, parsed
from fhir_server.search import query
from fhir_server.store.finds import Find as Asked
from importers.submit import Find
from resources.outcome import bad_request
from resources.search_parameters import parameters

if TYPE_CHECKING:
    from fhir_server.context import Context
    from fhir_server.search.site import Condition
    from resources.codec import Json

MOST = 1000
"""Resources that one query finds at most"""


def finder(ctx: Context) -> Find:
    """`find` on this server."""

    async def one(resource_type: str, text: str) -> list[Json]:
        wanted = await _filter(ctx, resource_type, text)
        asked = Asked(
            resource_type, wanted, (("_id", 1),), MOST, {"r": 1}, max_time_ms=ctx.store.search_milliseconds
        )
        return [each["r"] for each in await ctx.store.finds.together(asked)]

    async def find(queries: Sequence[tuple[str, str]]) -> list[list[Json]]:
        return await together(*(one(resource_type, text) for resource_type, text in queries))

    return find


async def _filter(ctx: Context, resource_type: str, text: str) -> Condition:
    """By the parameters of R4; by those of the server's own only where one of them is meant."""
    criteria = parsed(text, resource_type)
    known = parameters(resource_type)
    if any(name.partition(":")[0] not in known for name, _ in criteria):
        ctx = ctx.at(await ctx.parameters.newest())
    search = criteria_search(ctx, resource_type, criteria)
    if search.joins:
        raise bad_request(f"'{text[:200]}' leads through other resources; here it may not")
    return query.together([query.condition(each, ctx.site) for each in search.clauses])
