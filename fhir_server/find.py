"""The `find` that importers are handed: bounded look-ups straight in the store, those of one moment together.

What several messages ask at the same time about one type goes out as one command; types are asked in parallel.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_server.interactions import indexed
from fhir_server.interactions.asking import planned, together
from fhir_server.interactions.preconditions import criteria_search, parsed
from fhir_server.search import joins, query
from fhir_server.search.ask import everything
from fhir_server.store.coalesce import Coalescer
from importers.submit import Find
from resources.outcome import FHIRError

if TYPE_CHECKING:
    from fhir_server.context import Context
    from fhir_server.search.site import Condition
    from fhir_server.store.documents import Document
    from resources.codec import Json

MOST = 1000
"""Resources that one query finds at most"""
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class _Simple:
    """A question by values of one field, whose answers can be told from those to others of its kind."""

    resource_type: str
    field: str
    values: frozenset[str]

    def fits(self, document: Document) -> bool:
        value = document.get("s", {}).get(self.field.removeprefix("s."), ())
        if self.field == "_id":
            value = document["_id"]
        return not self.values.isdisjoint(value if isinstance(value, list) else (value,))


def finder(ctx: Context) -> Find:
    """`find` on this server."""
    asked = Coalescer["_Simple", "list[Json]"](lambda batch: _answered(ctx, batch), most=AT_ONCE, lanes=4)

    async def one(resource_type: str, text: str) -> list[Json]:
        here = ctx.at(await ctx.parameters.recent())
        search = criteria_search(here, resource_type, parsed(text, resource_type))
        async with ctx.store.unit() as unit:
            await indexed.check(here, unit, search)
            joined = await planned(unit, joins.conditions(search.joins, here.site, everything))
            conditions = [*(query.condition(each, here.site) for each in search.clauses), *joined]
            simple = _simple(resource_type, conditions)
            if simple is not None:
                return await asked.submit(simple)
            wanted = query.together(conditions)
            found = await unit.find(resource_type, wanted, limit=MOST, projection={"s": 0})
        return [each["r"] for each in found]

    async def find(queries: Sequence[tuple[str, str]]) -> list[list[Json]]:
        return await together(*(one(resource_type, text) for resource_type, text in queries))

    return find


def _simple(resource_type: str, conditions: Sequence[Condition]) -> _Simple | None:
    if len(conditions) != 1 or len(conditions[0]) != 1:
        return None
    [(field, wanted)] = conditions[0].items()
    values = wanted.get("$in") if isinstance(wanted, dict) and len(wanted) == 1 else [wanted]
    if field not in {"_id", "s.identifier"} or not isinstance(values, list):
        return None
    if not all(isinstance(each, str) for each in values):
        return None
    return _Simple(resource_type, field, frozenset(values))


async def _answered(ctx: Context, batch: Sequence[_Simple]) -> list[list[Json] | BaseException]:
    by_kind: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, each in enumerate(batch):
        by_kind[each.resource_type, each.field].append(position)
    answers: list[list[Json] | BaseException] = [[] for _ in batch]

    async def ask(positions: list[int]) -> None:
        some = [batch[position] for position in positions]
        try:
            found = await _found(ctx, some)
        except FHIRError as fault:
            for position in positions:
                answers[position] = fault
            return
        for position, each in zip(positions, some, strict=True):
            answers[position] = [document["r"] for document in found if each.fits(document)]

    await asyncio.gather(*map(ask, by_kind.values()))
    return answers


async def _found(ctx: Context, some: Sequence[_Simple]) -> list[Document]:
    values = sorted(frozenset[str]().union(*(each.values for each in some)))
    wanted = query.together([{some[0].field: values[0] if len(values) == 1 else {"$in": values}}])
    projection = {"r": 1, "s.identifier": 1}
    return await ctx.store.find(some[0].resource_type, wanted, limit=MOST * len(some), projection=projection)
