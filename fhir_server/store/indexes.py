"""Collections and their indexes, made before the first write to a resource type.

One wildcard index over the search values serves every parameter; the types at the heart of the server have
a few compound indexes for the searches that clients really make (docs/adr/0004-indexes.md).
"""

from __future__ import annotations

import asyncio
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CollectionInvalid, OperationFailure

from fhir_server.store.documents import CODEC_OPTIONS, Document

HISTORY = ".history"
DONE = "_done"
"""Keys of what was done once and for all, see `fhir_server.system.done`"""
NAMESPACE_EXISTS = 48

_BY_TIME = IndexModel([("t", DESCENDING), ("_id", DESCENDING)], name="t")
_WILDCARD = IndexModel([("s.$**", ASCENDING)], name="s")

CURATED: dict[str, list[IndexModel]] = {
    "AuditEvent": [
        IndexModel([("s.entity", ASCENDING), ("s.date.s", DESCENDING)], name="entity+date"),
        IndexModel([("s.patient", ASCENDING), ("s.date.s", DESCENDING)], name="patient+date"),
        IndexModel([("s.agent", ASCENDING), ("s.date.s", DESCENDING)], name="agent+date", sparse=True),
    ],
    "Observation": [IndexModel([("s.subject", ASCENDING), ("s.code", ASCENDING)], name="subject+code")],
}
WITHOUT_WILDCARD = {"AuditEvent"}
"""Written with every access and searched in few ways: its compound indexes are all it has."""


class Collections:
    """Knows which collections exist with their indexes; makes the missing ones once."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._database = database
        self._ready: set[str] = set()
        self._making: dict[str, asyncio.Task[None]] = {}

    async def ensure(self, resource_type: str) -> None:
        """Returns when the collections of a type are there; one attempt is that of all who wait for it."""
        if resource_type in self._ready:
            return
        making = self._making.get(resource_type)
        if making is None:
            making = asyncio.get_running_loop().create_task(self._make_all(resource_type))
            self._making[resource_type] = making
            making.add_done_callback(lambda _: self._making.pop(resource_type))
        await asyncio.shield(making)

    async def _make_all(self, resource_type: str) -> None:
        if resource_type == DONE:
            await self._make(DONE, [])
        else:
            await self._make(resource_type, self._current_indexes(resource_type))
            await self._make(resource_type + HISTORY, [_BY_TIME])
        self._ready.add(resource_type)

    def forget(self) -> None:
        """The database may be another one now: look again before the next write."""
        self._ready.clear()

    @staticmethod
    def _current_indexes(resource_type: str) -> list[IndexModel]:
        wildcard = [] if resource_type in WITHOUT_WILDCARD else [_WILDCARD]
        return [_BY_TIME, *wildcard, *CURATED.get(resource_type, [])]

    async def _make(self, name: str, indexes: list[IndexModel]) -> None:
        try:
            await self._database.create_collection(name, check_exists=False)
        except CollectionInvalid:
            pass
        except OperationFailure as fault:
            if fault.code != NAMESPACE_EXISTS:
                raise
        if indexes:
            await self._database[name].create_indexes(indexes)

    def collection(self, name: str) -> Any:
        return self._database.get_collection(name, codec_options=CODEC_OPTIONS)
