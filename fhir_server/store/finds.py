"""Several finds as one command, for what concurrent searches ask for in one turn of the event loop.

A command costs the driver and MongoDB more than a short walk along an index does (docs/adr/0017-searches-together.md).

https://www.mongodb.com/docs/manual/reference/operator/aggregation/unionWith/
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fhir_server.store.coalesce import Coalescer
from fhir_server.store.documents import Document
from fhir_server.store.faults import Away
from fhir_server.store.indexes import Collections
from fhir_server.store.reach import Reach

MILLISECONDS = 500
"""After which finds that were asked together are asked one by one: one of them is slow"""

_WHOSE = "n"
"""In what comes back: the place of the find that it is for"""


@dataclass(frozen=True, slots=True)
class Find:
    """Up to `limit` documents of the collection `name`, those members of each that `projection` includes."""

    name: str
    filter: Document
    sort: Sequence[tuple[str, int]]
    limit: int
    projection: Mapping[str, int]
    max_time_ms: int


class Finds:
    """Asks for what concurrent callers look for; `find` is the store's own, for what is asked alone."""

    def __init__(
        self, collections: Collections, reach: Reach, find: Callable[..., Awaitable[list[Document]]]
    ) -> None:
        self._collections = collections
        self._reach = reach
        self._find = find
        self._batches = Coalescer[Find, list[Document]](self._batch, most=16, lanes=2)

    async def together(self, find: Find) -> list[Document]:
        """What it finds, in one command with what others look for at the moment.

        For what costs no more than the page that it gives: none is answered before all are.
        """
        return await self._batches.submit(find)

    async def _batch(self, finds: Sequence[Find]) -> Sequence[list[Document] | BaseException]:
        if len(finds) == 1:
            return [await self._alone(finds[0])]
        try:
            return await self._all(finds)
        except Away:
            raise
        except Exception:  # whatever it is, who asked for it meets it again
            return await asyncio.gather(*map(self._alone, finds), return_exceptions=True)

    async def _all(self, finds: Sequence[Find]) -> list[list[Document]]:
        with self._reach.asking():
            cursor = await self._collections.collection(finds[0].name).aggregate(
                pipeline(finds),
                batchSize=sum(find.limit for find in finds) + 1,
                maxTimeMS=min(MILLISECONDS, *(find.max_time_ms for find in finds)),
                allowDiskUse=False,
            )
            return apart(finds, await cursor.to_list())

    async def _alone(self, find: Find) -> list[Document]:
        return await self._find(
            find.name,
            find.filter,
            sort=find.sort,
            limit=find.limit,
            projection=dict(find.projection),
            max_time_ms=find.max_time_ms,
        )


def pipeline(finds: Sequence[Find]) -> list[Document]:
    """An aggregation over the collection of the first one that finds for all of them."""
    first, *others = (_stages(find, place) for place, find in enumerate(finds))
    unions = zip(finds[1:], others, strict=True)
    return [*first, *({"$unionWith": {"coll": find.name, "pipeline": stages}} for find, stages in unions)]


def _stages(find: Find, place: int) -> list[Document]:
    return [
        {"$match": find.filter},
        {"$sort": dict(find.sort)},
        {"$limit": find.limit},
        {"$project": {**find.projection, _WHOSE: {"$literal": place}}},
    ]


def apart(finds: Sequence[Find], found: Sequence[Document]) -> list[list[Document]]:
    """What was found for each, in its order."""
    answers: list[list[Document]] = [[] for _ in finds]
    for document in found:
        answers[document.pop(_WHOSE)].append(document)
    return answers
