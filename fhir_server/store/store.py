"""The one way to the database: coalesced reads, searches, and units of work that commit in groups."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from pymongo import AsyncMongoClient, ReplaceOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.read_concern import ReadConcern

from fhir_server.store.coalesce import Coalescer
from fhir_server.store.documents import Document, now, packed, portions, superseded
from fhir_server.store.faults import Away, WriteConflict, faults, only_duplicates, refused, translated
from fhir_server.store.finds import Finds
from fhir_server.store.indexes import HISTORY, Collections
from fhir_server.store.locks import KeyedLocks
from fhir_server.store.reach import Reach
from fhir_server.store.session import DURABLE, Transactions
from fhir_server.store.unit import AUDIT, Unit, Write, check_no_match

LOCKS = "_locks"
SERVER = "_server"
LOCK_LIFE = timedelta(hours=1)


class Store:
    """Documents by resource type, their history, and the transactions that write them."""

    def __init__(
        self, client: AsyncMongoClient[Document], database: str, *, search_seconds: float = 20
    ) -> None:
        self.client = client
        self.search_milliseconds = max(1, round(search_seconds * 1000))
        """How long one step of a search may take"""
        self.database = client.get_database(
            database, write_concern=DURABLE, read_concern=ReadConcern("majority")
        )
        self.collections = Collections(self.database)
        self._reads = Coalescer[tuple[str, str], Document | None](self._read_batch, most=256, lanes=2)
        self._appends = Coalescer[Sequence[Document], None](self._append_batch, most=256, lanes=2)
        self._commits = Coalescer[Unit, None](self._commit_batch, most=64, lanes=2)
        # Of these the commands cost most, and in one lane more of them meet.
        self._bundles = Coalescer[Unit, None](self._commit_batch, most=16)
        self._keyed = KeyedLocks()
        self._reach = Reach(client)
        self.finds = Finds(self.collections, self._reach, self.find)
        self._transactions = Transactions(client, self._reach)

    async def ping(self) -> None:
        """Raises a 503 FHIRError while MongoDB does not answer."""
        with faults():
            await self.client.admin.command("ping")

    # Reading

    async def read(self, resource_type: str, logical_id: str) -> Document | None:
        """The current document (deleted ones have `deleted`), or None."""
        return await self._reads.submit((resource_type, logical_id))

    async def _read_batch(self, keys: Sequence[tuple[str, str]]) -> list[Document | None]:
        wanted: dict[str, set[str]] = defaultdict(set)
        for resource_type, logical_id in keys:
            wanted[resource_type].add(logical_id)
        found: dict[tuple[str, str], Document] = {}
        for resource_type, ids in wanted.items():
            for document in await self.find(resource_type, {"_id": {"$in": list(ids)}}, projection={"s": 0}):
                found[resource_type, document["_id"]] = document
        return [found.get(key) for key in keys]

    async def find(
        self,
        name: str,
        filter_: Document,
        *,
        sort: Sequence[tuple[str, int]] | None = None,
        limit: int = 0,
        projection: Document | None = None,
        session: AsyncClientSession | None = None,
        max_time_ms: int | None = None,
    ) -> list[Document]:
        """Documents of a collection (a resource type, or its history) that match a Mongo filter."""
        with self._reach.asking():
            cursor = self.collections.collection(name).find(
                filter_,
                projection,
                sort=sort,
                limit=limit,
                session=session,
                max_time_ms=max_time_ms,
                batch_size=limit + 1 if limit else 0,
                # A sort that would need more memory than MongoDB gives it is refused, not done on disk.
                allow_disk_use=False if sort else None,
            )
            found: list[Document] = await cursor.to_list()
        return found

    async def distinct(
        self,
        name: str,
        filter_: Document,
        field: str,
        *,
        prefix: str = "",
        limit: int,
        session: AsyncClientSession | None = None,
        max_time_ms: int | None = None,
    ) -> list[Document]:
        """The texts that a field (a value or a list of them) has in what matches, `{_id: text}`, each once: at most
        `limit` of those that begin with `prefix`.
        """
        pipeline: list[Document] = [
            {"$match": filter_},
            {"$project": {"_id": 0, "value": f"${field}"}},
            {"$unwind": "$value"},
            {"$match": {"value": {"$regex": f"^{re.escape(prefix)}"}}},
            {"$group": {"_id": "$value"}},
            {"$limit": limit},
        ]
        options = {} if max_time_ms is None else {"maxTimeMS": max_time_ms}
        with self._reach.asking():
            cursor = await self.collections.collection(name).aggregate(pipeline, session=session, **options)
            found: list[Document] = await cursor.to_list()
        return found

    async def count(
        self,
        name: str,
        filter_: Document,
        *,
        max_time_ms: int | None = None,
        session: AsyncClientSession | None = None,
    ) -> int:
        with self._reach.asking():
            options = {} if max_time_ms is None else {"maxTimeMS": max_time_ms}
            counted: int = await self.collections.collection(name).count_documents(
                filter_, session=session, **options
            )
        return counted

    async def stored_types(self) -> list[str]:
        """The resource types of which anything is or was stored, sorted."""
        with self._reach.asking():
            names = await self.database.list_collection_names()
        return sorted(name for name in names if name[:1].isupper() and not name.endswith(HISTORY))

    # Writing

    @asynccontextmanager
    async def unit(
        self, *, transaction: bool = False, locks: Sequence[str] = (), types: Sequence[str] = ()
    ) -> AsyncIterator[Unit]:
        """A unit of work. With `transaction` its reads and writes see and form one MongoDB transaction;
        no two units that hold a common key in `locks` run at the same time, on any server. `types` are
        the resource types it may write: their collections cannot come into being inside a transaction.

        Whoever asks for the unit calls `commit`; without it nothing is written.
        """
        if not transaction:
            async with self._keyed.hold(locks):
                yield Unit(self, locks=locks)
            return
        with self._reach.asking():
            for resource_type in types:
                await self.collections.ensure(resource_type)
        async with self._keyed.hold(locks), self._transactions.begin() as session:
            unit = Unit(self, session)
            await unit.lock(locks)
            yield unit

    def turn(self, key: str) -> AbstractAsyncContextManager[None]:
        """Holds a key within this process: who else asks for it waits."""
        return self._keyed.hold([key])

    async def touch(self, locks: Iterable[str], session: AsyncClientSession) -> None:
        """Touches a document for each lock: of two transactions that do, one ends in a write conflict."""
        keys = sorted({hashlib.sha256(lock.encode()).hexdigest() for lock in locks})
        change = {"$inc": {"n": 1}, "$set": {"until": now() + LOCK_LIFE}}
        touches = [UpdateOne({"_id": key}, change, upsert=True) for key in keys]
        with self._reach.asking():
            await self.database[LOCKS].bulk_write(touches, session=session)

    async def prepare(self) -> None:
        """Makes what every server needs before its first request."""
        with self._reach.asking():
            await self.database[LOCKS].create_index("until", expireAfterSeconds=0)
            await self.collections.ensure(AUDIT)
        self.collections.review()

    async def secret(self, proposal: bytes) -> bytes:
        """The secret that all servers on this database share; the first one's proposal."""
        with self._reach.asking():
            kept = await self.database[SERVER].find_one_and_update(
                {"_id": "secret"}, {"$setOnInsert": {"value": proposal}}, upsert=True, return_document=True
            )
        assert kept is not None
        return bytes(kept["value"])

    async def append(self, events: Sequence[Document]) -> None:
        """Stores AuditEvents of accesses that wrote nothing; returns when they are durable, or raises a 503."""
        await self._appends.submit(events)

    async def _append_batch(self, batches: Sequence[Sequence[Document]]) -> Sequence[BaseException | None]:
        try:
            self._reach.check()
            await self.collections.ensure(AUDIT)
            events = [event for batch in batches for event in batch]
            await self.collections.collection(AUDIT).insert_many(events, ordered=False)
        except Exception as fault:
            meant = translated(fault)
            if isinstance(meant, Away):
                return [meant] * len(batches)
            if len(batches) > 1:
                return [(await self._append_batch([batch]))[0] for batch in batches]
            # An event has an id of its own: one that is there already is the same event.
            return [None if only_duplicates(fault) else refused(fault)]
        return [None] * len(batches)

    async def commit_grouped(self, unit: Unit) -> None:
        """Commits a unit together with those of other requests."""
        await (self._bundles if len(unit.writes) > 1 else self._commits).settle(unit)

    async def _commit_batch(self, units: Sequence[Unit]) -> Sequence[BaseException | None]:
        """One transaction for all; when it fails each unit gets one of its own, so that one bad does no harm."""
        try:
            await self._commit_together(units)
        except Exception as fault:
            meant = translated(fault)
            # After a lost connection nobody knows what was committed: to try again could write twice.
            if len(units) == 1 or isinstance(meant, Away):
                return [meant] * len(units)
            return [(await self._commit_batch([unit]))[0] for unit in units]
        return [None] * len(units)

    async def _commit_together(self, units: Sequence[Unit]) -> None:
        writes = [write for unit in units for write in unit.writes]
        events = [event for unit in units for event in unit.events]
        self._reach.check()
        await self._ensure(writes)
        async with self._transactions.begin() as session:
            await check_no_match(units, session)
            await self.apply(writes, events, session)

    async def _ensure(self, writes: Sequence[Write]) -> None:
        for resource_type in {write.resource_type for write in writes}:
            await self.collections.ensure(resource_type)

    async def apply(
        self, writes: Sequence[Write], events: Sequence[Document], session: AsyncClientSession
    ) -> None:
        """Sends writes and events into an open transaction, few commands for each kind and collection."""
        await self._ensure(writes)
        inserts: dict[str, list[Document]] = defaultdict(list)
        replaces: dict[str, list[ReplaceOne[Document]]] = defaultdict(list)
        for write in writes:
            written = packed(write.document)
            if write.previous is None:
                inserts[write.resource_type].append(written)
                continue
            old = superseded(write.previous, write.document["t"])
            inserts[write.resource_type + HISTORY].append(packed(old))
            swap = ReplaceOne({"_id": write.previous["_id"], "v": write.previous["v"]}, written)
            replaces[write.resource_type].append(swap)
        for name, operations in replaces.items():
            for some in portions(operations):
                done = await self.collections.collection(name).bulk_write(some, session=session)
                if done.matched_count != len(some):
                    raise WriteConflict(f"{name}: a version was superseded meanwhile")
        for name, documents in inserts.items():
            for some_documents in portions(documents):
                await self.collections.collection(name).insert_many(some_documents, session=session)
        for some_events in portions(events):
            await self._send_events(some_events, session)

    async def _send_events(self, events: Sequence[Document], session: AsyncClientSession) -> None:
        try:
            await self.collections.collection(AUDIT).insert_many(events, session=session)
        except Exception as fault:
            if isinstance(translated(fault), Away | WriteConflict):
                raise
            raise refused(fault) from fault

    async def close(self) -> None:
        """Waits for what is under way, then closes the connections."""
        await self._commits.idle()
        await self._bundles.idle()
        await self._appends.idle()
        await self._transactions.close()
        await self.collections.close()
        await asyncio.shield(self.client.close())
