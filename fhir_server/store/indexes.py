"""Collections and their indexes, made before the first write to a resource type.

One wildcard index over the search values serves every parameter; the types at the heart of the server have
compound indexes for the searches that clients really make (`capability.indexes`, docs/adr/0004-indexes.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CollectionInvalid, OperationFailure, PyMongoError

from capability.indexes import CURATED, WITHOUT_WILDCARD, Index, leading
from fhir_server.store.documents import CODEC_OPTIONS, Document
from fhir_server.store.drift import Drift, drift
from fhir_server.store.faults import Away, translated

HISTORY = ".history"
DONE = "_done"
"""Keys of what was done once and for all, see `fhir_server.system.done`"""
FEED, FEED_CHUNKS, FEED_SERVERS = "_feed", "_feed_chunks", "_feed_servers"
"""Messages of HL7 v2, see `fhir_server.store.feed`"""
DICOM_INSTANCES, DICOM_ATTRS = "_dicom_instances", "_dicom_attrs"
DICOM_STUDIES, DICOM_QUARANTINE = "_dicom_studies", "_dicom_quarantine"
"""Instances of DICOM and the studies they are in, see `fhir_server.store.dicom`"""
NAMESPACE_EXISTS = 48
SMALL = 10_000
"""Documents over which an index is made at once; over more it is made while the server works."""

BY_TIME = IndexModel([("t", DESCENDING), ("_id", DESCENDING)], name="t")
_WILDCARD = IndexModel([("s.$**", ASCENDING)], name="s")
_EXPIRES = IndexModel([("expires", ASCENDING)], name="expires", expireAfterSeconds=0)
_NEWEST = [("t", DESCENDING), ("_id", DESCENDING)]
OTHERS: Mapping[str, Sequence[IndexModel]] = {
    DONE: (),
    FEED: (
        BY_TIME,
        IndexModel([("status", ASCENDING), *_NEWEST], name="status+t"),
        IndexModel([("sender", ASCENDING), *_NEWEST], name="sender+t"),
        IndexModel([("patients", ASCENDING), *_NEWEST], name="patients+t"),
        IndexModel([("sid", ASCENDING)], name="sid", partialFilterExpression={"sid": {"$exists": True}}),
        IndexModel(
            [("open", ASCENDING), ("keys", ASCENDING)], name="open", partialFilterExpression={"open": True}
        ),
        _EXPIRES,
    ),
    FEED_CHUNKS: (_EXPIRES,),
    FEED_SERVERS: (IndexModel([("beat", ASCENDING)], name="beat", expireAfterSeconds=3600),),
    DICOM_INSTANCES: (
        IndexModel([(each, ASCENDING) for each in ("study", "state", "series", "num", "_id")], name="study"),
        IndexModel([("cls", ASCENDING), ("study", ASCENDING)], name="cls+study"),
        IndexModel([("sd", ASCENDING), ("study", ASCENDING)], name="sd+study"),
        IndexModel([("rd", ASCENDING), ("study", ASCENDING)], name="rd+study"),
    ),
    DICOM_ATTRS: (IndexModel([("values.$**", ASCENDING)], name="values"),),
    DICOM_STUDIES: (
        IndexModel([("next", ASCENDING)], name="next", partialFilterExpression={"next": {"$exists": True}}),
        IndexModel([("ref", ASCENDING)], name="ref", partialFilterExpression={"ref": {"$exists": True}}),
    ),
    DICOM_QUARANTINE: (IndexModel([("study", ASCENDING), ("at", ASCENDING)], name="study+at"),),
}
"""Those of collections that hold no resources"""
_NO_VALUES = ("r", "v", "t", "put", "deleted")

log = structlog.get_logger()


def indexes_of(resource_type: str) -> list[IndexModel]:
    """Those of the current versions of a type."""
    return [BY_TIME, *_wildcard(resource_type), *map(_curated, CURATED.get(resource_type, ()))]


def _wildcard(resource_type: str) -> list[IndexModel]:
    """What compound indexes begin with is left out: it would be there twice, and be chosen wrongly at times."""
    if resource_type in WITHOUT_WILDCARD:
        return []
    if not leading(resource_type):
        return [_WILDCARD]
    without = dict.fromkeys((*_NO_VALUES, *(f"s.{code}" for code in leading(resource_type))), 0)
    return [IndexModel([("$**", ASCENDING)], name="values", wildcardProjection=without)]


def _curated(index: Index) -> IndexModel:
    """Events have few of the values that they could have: those without, or with null, are left out."""
    options: dict[str, Any] = {}
    if index.resource_type in WITHOUT_WILDCARD:
        options["partialFilterExpression"] = {f"s.{index.parameters[0]}": {"$gt": ""}}
    return IndexModel(list(index.keys), name=index.name, **options)


class Collections:
    """Knows which collections exist with their indexes; makes the missing ones once."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._database = database
        self._ready: set[str] = set()
        self._making: dict[str, asyncio.Task[None]] = {}
        self._behind: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

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
        if resource_type in OTHERS:
            await self._make(resource_type, OTHERS[resource_type])
        else:
            await self._make(resource_type, indexes_of(resource_type))
            await self._make(resource_type + HISTORY, [BY_TIME])
        self._ready.add(resource_type)

    def forget(self) -> None:
        """The database may be another one now: look again before the next write."""
        self._ready.clear()

    async def _make(self, name: str, indexes: Sequence[IndexModel]) -> None:
        try:
            await self._database.create_collection(name, check_exists=False)
        except CollectionInvalid:
            pass
        except OperationFailure as fault:
            if fault.code != NAMESPACE_EXISTS:
                raise
        if not indexes:
            return
        found = await self._drift(name, indexes)
        if not found.missing:
            return
        if await self._database[name].estimated_document_count() <= SMALL:
            await self._build(found)
        else:
            self._in_background(self._build(found))

    # Drift

    async def drifts(self) -> list[Drift]:
        """What is not as it should be, of each collection that there is."""
        found = []
        for name in sorted(await self._database.list_collection_names()):
            if name in OTHERS:
                found.append(await self._drift(name, OTHERS[name]))
            elif name[:1].isupper():
                expected = [BY_TIME] if name.endswith(HISTORY) else indexes_of(name)
                found.append(await self._drift(name, expected))
        return [each for each in found if each]

    async def _drift(self, name: str, expected: Sequence[IndexModel]) -> Drift:
        return drift(name, expected, await self._database[name].index_information())

    async def mend(self, found: Drift) -> None:
        """Makes what is missing; drops what is not expected first, so that the name is free."""
        for name in (*found.extra, *(each.document["name"] for each in found.different)):
            await self._database[found.collection].drop_index(name)
        if found.missing or found.different:
            await self._database[found.collection].create_indexes([*found.missing, *found.different])

    def review(self) -> None:
        """Reports drift and makes what is missing, while the server works."""
        self._in_background(self._review())

    async def _review(self) -> None:
        for found in await self.drifts():
            log.warning("index_drift", **found.told())
            if found.missing:
                await self._build(found)

    async def _build(self, found: Drift) -> None:
        """One that cannot be made over what is stored (two lists of values, say) does not keep others from it."""
        collection = self._database[found.collection]
        async with self._one_at_a_time:
            try:
                await collection.create_indexes(list(found.missing))
            except OperationFailure as fault:
                if isinstance(translated(fault), Away):
                    raise
                for each in found.missing:
                    await self._build_one(collection, each)

    async def _build_one(self, collection: AsyncCollection[Document], index: IndexModel) -> None:
        try:
            await collection.create_indexes([index])
        except OperationFailure as fault:
            name = index.document["name"]
            log.warning("index_not_made", collection=collection.name, index=name, code=fault.code)

    def _in_background(self, work: Any) -> None:
        async def attempt() -> None:
            try:
                await work
            except PyMongoError as fault:  # there will be another start
                log.warning("indexes_not_made", error=type(fault).__name__, code=getattr(fault, "code", None))

        task = asyncio.get_running_loop().create_task(attempt())
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def close(self) -> None:
        """Leaves off what is under way: MongoDB goes on with an index that it has begun."""
        for task in tuple(self._behind):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def collection(self, name: str) -> Any:
        return self._database.get_collection(name, codec_options=CODEC_OPTIONS)
