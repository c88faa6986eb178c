"""The feed of HL7 v2 messages as it is stored: raw bytes, arrival, what came of it (docs/adr/0021-hl7v2-feed.md).

    _feed          {_id, t, status, open?, holder?, keys?, after, sender, patients, …, raw}
    _feed_chunks   {_id: {id, n}, data}: the bytes of a message that is too large for one document
    _feed_servers  {_id: holder, beat}: the processes that take messages, and when each was last heard of

`open`, `holder` and `keys` are there while a message is in work: what is open and whose holder is silent was left
behind by a process that died, and is taken by another.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bson.binary import Binary
from pymongo import ASCENDING, DESCENDING, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from fhir_server.store.coalesce import Coalescer
from fhir_server.store.documents import Document
from fhir_server.store.faults import DUPLICATE_KEY, faults
from fhir_server.store.feed_documents import changes, document_of, row_of
from fhir_server.store.indexes import FEED, FEED_CHUNKS, FEED_SERVERS
from importers.hl7v2.rows import UNREADABLE, Arrived, Row, Wanted, sequence_id

if TYPE_CHECKING:
    from fhir_server.store.store import Store

INLINE = 8 * 1024 * 1024
"""Bytes of a message that stand in its own document; MongoDB takes 16 MB"""
CHUNK = 4 * 1024 * 1024
SILENCE = 6.0
"""Seconds after which a process that was not heard of counts as gone; it is heard of every second"""
ORPHANS = 100
MOST_UNREADABLE, TRIMMED_EVERY = 5000, 64
"""Rows of what is no message that are kept, and after how many more the oldest are deleted"""
AT_ONCE = 64
_WITHOUT_RAW = {"raw": 0}


@dataclass(slots=True)
class _Unheard:
    """When this process was last heard of, by its own clock."""

    at: float = -SILENCE


class MongoFeed:
    """`FeedStore` on MongoDB; what arrives or ends in the same moment goes out as one command."""

    def __init__(self, store: Store, *, retention: timedelta | None = None) -> None:
        self._store = store
        self._retention = retention
        self.holder = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
        self._heard = _Unheard()
        self._unreadable = 0
        self._arrivals = Coalescer[tuple[Row, bytes], Arrived](self._arrive_batch, most=AT_ONCE)
        self._ends = Coalescer[Row, None](self._finish_batch, most=AT_ONCE, lanes=2)

    def _collection(self, name: str = FEED) -> Any:
        return self._store.collections.collection(name)

    async def _ready(self) -> None:
        with faults():
            for name in (FEED, FEED_CHUNKS, FEED_SERVERS):
                await self._store.collections.ensure(name)

    # Coming in

    async def arrive(self, row: Row, raw: bytes) -> Arrived:
        """One command looks for what is there, one inserts what is new, for all that arrive now.

        One batch after the other: who asks first is seen first by other servers, too.
        """
        return await self._arrivals.submit((row, raw if len(raw) <= INLINE else b""))

    async def _arrive_batch(self, items: Sequence[tuple[Row, bytes]]) -> Sequence[Arrived | BaseException]:
        with faults():
            await self._ready()
            await self._be_heard()
            rows = [row for row, _ in items]
            present, reused = await self._before(rows)
            new: list[InsertOne[Document]] = []
            # What this process has taken itself it keeps in order by itself.
            others = [each for each in present.values() if each.get("open") and each["holder"] != self.holder]
            for row, raw in items:
                if row.id in present:
                    continue
                keys = set(row.keys)
                row.after = tuple(each["_id"] for each in others if not keys.isdisjoint(each["keys"]))
                new.append(InsertOne(self._document(row, raw)))
            lost = await self._insert(new)
            if lost:
                present |= (await self._before([row for row in rows if row.id in lost]))[0]
            return [self._arrived(row, present.get(row.id), reused) for row in rows]

    def _arrived(self, row: Row, there: Document | None, reused: set[str]) -> Arrived:
        if there is None:
            return Arrived(True, row, sequence_id(row) in reused)
        return Arrived(bool(there.get("open")) and there["holder"] == self.holder, row_of(there))

    def _document(self, row: Row, raw: bytes) -> Document:
        document = {**document_of(row), "open": True, "holder": self.holder, "keys": list(row.keys)}
        sid = sequence_id(row)
        if sid is not None:
            document["sid"] = sid
        if self._retention is not None:
            document["expires"] = row.received + self._retention
        return {**document, "raw": Binary(raw)} if raw else document

    async def _before(self, rows: Sequence[Row]) -> tuple[dict[str, Document], set[str]]:
        """In one command: what has the id of one of the rows, or is in work for one of their patients; and the MSH-10
        (with their sender) that have come before, of which one each is looked for, however often they came.
        """
        keys = sorted({key for row in rows for key in row.keys})
        either: list[Document] = [{"_id": {"$in": [row.id for row in rows]}}]
        if keys:
            either.append({"open": True, "keys": {"$in": keys}})
        pipeline: list[Document] = [{"$match": {"$or": either}}, {"$project": _WITHOUT_RAW}]
        for sid in {sid for row in rows if (sid := sequence_id(row)) is not None}:
            some = [{"$match": {"sid": sid}}, {"$limit": 1}, {"$project": {"_id": 0, "seen": "$sid"}}]
            pipeline.append({"$unionWith": {"coll": FEED, "pipeline": some}})
        cursor = await self._collection().aggregate(pipeline)
        found: list[Document] = await cursor.to_list()
        present = {each["_id"]: each for each in found if "_id" in each}
        return present, {each["seen"] for each in found if "seen" in each}

    async def _insert(self, new: list[InsertOne[Document]]) -> set[str]:
        """Those that another process has inserted in this moment."""
        if not new:
            return set()
        try:
            await self._collection().bulk_write(new, ordered=False)
        except BulkWriteError as fault:
            errors = fault.details["writeErrors"]
            if fault.details["writeConcernErrors"] or {each["code"] for each in errors} != {DUPLICATE_KEY}:
                raise
            return {each["op"]["_id"] for each in errors}
        return set()

    async def note(self, row: Row, raw: bytes | None = None) -> None:
        with faults():
            await self._ready()
            document = document_of(row)
            if self._retention is not None:
                document["expires"] = row.received + self._retention
            if raw is not None:
                document["raw"] = Binary(raw)
            await self._collection().replace_one({"_id": row.id}, document, upsert=True)
            if UNREADABLE in row.flags:
                if self._unreadable % TRIMMED_EVERY == 0:
                    await self._trim()
                self._unreadable += 1

    async def _trim(self) -> None:
        """Who sends garbage without end does not fill the disk."""
        garbage = {"status": "rejected", "flags": UNREADABLE}
        old = self._collection().find(garbage, {"_id": 1}, sort=[("t", DESCENDING)], skip=MOST_UNREADABLE)
        ids = [each["_id"] for each in await old.to_list()]
        if ids:
            await self._collection().delete_many({"_id": {"$in": ids}})

    async def put(self, row_id: str, raw: bytes) -> None:
        if len(raw) <= INLINE:
            return
        expires: Document = {}
        if self._retention is not None:
            expires["expires"] = datetime.now().astimezone() + self._retention
        with faults():
            await self._ready()
            for number, start in enumerate(range(0, len(raw), CHUNK)):
                key = {"_id": {"id": row_id, "n": number}}
                data = {"data": Binary(raw[start : start + CHUNK]), **expires}
                await self._collection(FEED_CHUNKS).replace_one(key, {**key, **data}, upsert=True)

    # Coming to an end

    async def reopen(self, row: Row) -> bool:
        await self._be_heard()
        opened = {"open": True, "holder": self.holder, "keys": list(row.keys), "replays": row.replays}
        closed = {"_id": row.id, "open": {"$ne": True}, "replays": row.replays - 1}
        with faults():
            done = await self._collection().update_one(closed, {"$set": {**opened, "status": row.status}})
        return bool(done.matched_count)

    async def finish(self, row: Row) -> None:
        await self._ends.submit(row)

    async def _finish_batch(self, rows: Sequence[Row]) -> Sequence[None]:
        with faults():
            await self._collection().bulk_write(
                [UpdateOne({"_id": row.id}, changes(row, self.holder)) for row in rows], ordered=False
            )
        return [None] * len(rows)

    # Looking

    async def get(self, row_id: str) -> Row | None:
        found = await self._store.find(FEED, {"_id": row_id}, projection=_WITHOUT_RAW, limit=1)
        return row_of(found[0]) if found else None

    async def named(self, beginning: str) -> list[Row]:
        wanted = {"_id": {"$gte": beginning, "$lt": beginning + "\uffff"}}
        found = await self._store.find(FEED, wanted, sort=[("_id", 1)], limit=2, projection=_WITHOUT_RAW)
        return list(map(row_of, found))

    async def raw(self, row_id: str) -> bytes:
        found = await self._store.find(FEED, {"_id": row_id}, projection={"raw": 1}, limit=1)
        if found and "raw" in found[0]:
            return bytes(found[0]["raw"])
        only = {"_id": {"$gte": {"id": row_id, "n": 0}, "$lt": {"id": row_id, "n": 1 << 30}}}
        chunks = await self._store.find(FEED_CHUNKS, only, sort=[("_id", 1)])
        return b"".join(bytes(each["data"]) for each in chunks)

    async def still_open(self, ids: Collection[str], before: datetime | None = None) -> set[str]:
        wanted: Document = {"_id": {"$in": list(ids)}, "open": True}
        if before is not None:
            wanted["t"] = {"$lt": before}
        return {each["_id"] for each in await self._store.find(FEED, wanted, projection={"_id": 1})}

    async def page(self, wanted: Wanted) -> list[Row]:
        conditions: list[Document] = []
        if wanted.statuses:
            conditions.append({"status": {"$in": list(wanted.statuses)}})
        if wanted.sender:
            conditions.append({"sender": wanted.sender})
        if wanted.patient:
            conditions.append({"patients": wanted.patient})
        if wanted.since:
            conditions.append({"t": {"$gte": wanted.since}})
        if wanted.until:
            conditions.append({"t": {"$lt": wanted.until}})
        if wanted.before:
            moment, last = wanted.before
            conditions.append({"$or": [{"t": {"$lt": moment}}, {"t": moment, "_id": {"$lt": last}}]})
        way = ASCENDING if wanted.oldest_first else DESCENDING
        await self._ready()
        found = await self._store.find(
            FEED,
            {"$and": conditions} if conditions else {},
            sort=[("t", way), ("_id", way)],
            limit=wanted.count,
            projection=_WITHOUT_RAW,
            max_time_ms=self._store.search_milliseconds,
        )
        return list(map(row_of, found))

    # What a process left behind that died

    async def beat(self) -> None:
        """By MongoDB's clock: that of each server may be wrong."""
        began = time.monotonic()
        with faults():
            await self._collection(FEED_SERVERS).update_one(
                {"_id": self.holder}, [{"$set": {"beat": "$$NOW"}}], upsert=True
            )
        self._heard.at = began

    async def orphans(self, mine: Collection[str]) -> list[Row]:
        others = {"open": True, "holder": {"$nin": await self._alive()}}
        found = await self._store.find(
            FEED,
            {"$or": [others, {"open": True, "holder": self.holder, "_id": {"$nin": list(mine)}}]},
            sort=[("t", 1), ("n", 1)],
            limit=ORPHANS,
            projection=_WITHOUT_RAW,
        )
        taken = [await self._taken(each) for each in found]
        return [row for row in taken if row is not None]

    async def take(self, row_id: str) -> Row | None:
        only = {"_id": row_id, "open": True, "holder": {"$nin": await self._alive()}}
        found = await self._store.find(FEED, only, limit=1, projection=_WITHOUT_RAW)
        return await self._taken(found[0]) if found else None

    async def _be_heard(self) -> None:
        """Before it holds anything: others would take it from who was never heard of."""
        if time.monotonic() - self._heard.at > SILENCE / 2:
            await self.beat()

    async def _alive(self) -> list[str]:
        heard = {"$expr": {"$gt": ["$beat", {"$subtract": ["$$NOW", round(SILENCE * 1000)]}]}}
        return [each["_id"] for each in await self._store.find(FEED_SERVERS, heard)]

    async def _taken(self, found: Document) -> Row | None:
        await self._be_heard()
        same = {"_id": found["_id"], "open": True, "holder": found["holder"]}
        with faults():
            done = await self._collection().update_one(same, {"$set": {"holder": self.holder}})
        return row_of(found) if done.matched_count else None
