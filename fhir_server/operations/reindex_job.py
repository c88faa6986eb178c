"""The work of a reindex: collections are walked by id in batches, and search values replaced where the version is
still the one they were made of, so that a write that comes in between wins.

How far it is stands in the job's document after each batch: whoever takes it over goes on from there.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

import structlog
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from fhir_server.context import Agent, Context, FhirRequest, Result
from fhir_server.interactions import reindexing
from fhir_server.interactions.write import search_values
from fhir_server.search.index import GENERATION
from fhir_server.store import jobs, search_format
from fhir_server.store.documents import Document, new_id, now
from fhir_server.store.faults import WriteConflict, faults
from resources.outcome import FHIRError

BATCH = 200
BREATH = 20
"""Resources indexed between two turns of the event loop"""
PAUSE = 2.0
"""Seconds between two looks whether there is something to do"""
MOST_TOLD = 20

log = structlog.get_logger()

Progress = Callable[[Document], None]


class Lost(Exception):
    """Somebody else works on the job now."""


async def work_when_asked(ctx: Context) -> None:
    """Works on the job whenever there is one that nobody works on, until it is cancelled."""
    holder = holder_name()
    while True:
        try:
            await work(ctx, holder)
        except FHIRError as away:
            log.warning("reindex_interrupted", reason=str(away))
        except Exception:
            log.exception("reindex_interrupted")
        await asyncio.sleep(PAUSE)


def holder_name() -> str:
    return f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"


async def work(
    ctx: Context, holder: str, *, per_second: int = 0, progress: Progress = lambda _: None
) -> Document | None:
    """Does what is left of the job, if it is free: the job as it ended. None where there is nothing to do here."""
    job = await jobs.take(ctx.store, reindexing.NAME, holder)
    try:
        while job is not None:
            walk = _Walk(ctx, job, holder, per_second or ctx.settings.reindex_per_second, progress)
            job = await walk.through()
            if job["status"] != reindexing.RUNNING:
                return job
    except (Lost, WriteConflict):
        log.warning("reindex_lost", holder=holder)
    return None


class _Walk:
    """One run of the job over its types."""

    def __init__(self, ctx: Context, job: Document, holder: str, per_second: int, progress: Progress) -> None:
        self._ctx = ctx
        self._job = job
        self._holder = holder
        self._per_second = per_second
        self._progress = progress

    async def through(self) -> Document:
        site = await self._ctx.parameters.newest()
        if site.generation < self._job["generation"]:
            raise RuntimeError("the parameters of the job are not known here")
        if self._job["total"] is None:
            await self._note(total={each: await self._count(each) for each in self._job["types"]})
        while self._job["left"]:
            await self._type(self._job["left"][0])
        await self._end()
        return self._job

    async def _count(self, resource_type: str) -> int:
        if self._job["everything"]:
            with faults():
                return int(await self._collection(resource_type).estimated_document_count())
        return await self._ctx.store.count(resource_type, self._wanted())

    def _collection(self, resource_type: str) -> Any:
        return self._ctx.store.collections.collection(resource_type)

    def _wanted(self) -> Document:
        return {} if self._job["everything"] else {f"s.{GENERATION}": {"$lt": self._job["generation"]}}

    async def _type(self, resource_type: str) -> None:
        while True:
            began = time.monotonic()
            after = self._job["after"]
            beyond: Document = {} if after is None else {"_id": {"$gt": after}}
            found = await self._batch(resource_type, {**beyond, **self._wanted()})
            if not found:
                break
            changed = await self._index(resource_type, found)
            await self._note(
                after=found[-1]["_id"],
                seen=self._job["seen"] + len(found),
                changed=self._job["changed"] + changed,
            )
            await asyncio.sleep(max(0.0, len(found) / self._per_second - (time.monotonic() - began)))
        await self._note(left=self._job["left"][1:], after=None)

    async def _batch(self, resource_type: str, filter_: Document) -> list[Document]:
        with faults():
            cursor = (
                self._collection(resource_type)
                .find(filter_, {"s": 0})
                .sort("_id", 1)
                .hint("_id_")
                .limit(BATCH)
            )
            found: list[Document] = await cursor.to_list()
        return found

    async def _index(self, resource_type: str, found: list[Document]) -> int:
        """How many got new values: not those that were written or deleted meanwhile."""
        site = await self._ctx.parameters.recent()
        ctx = self._ctx.at(site)
        updates: list[UpdateOne] = []
        for number, document in enumerate(found):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            if "r" not in document:
                continue
            try:
                values = search_values(ctx, document["r"])
            except Exception:
                log.exception("reindex_failed", type=resource_type)
                self._fail(resource_type, document["_id"])
                continue
            same = {
                "_id": document["_id"],
                "v": document["v"],
                f"s.{GENERATION}": {"$not": {"$gt": site.generation}},
            }
            updates.append(UpdateOne(same, {"$set": {"s": values}}))
        return await self._replace(resource_type, updates)

    async def _replace(self, resource_type: str, updates: list[UpdateOne]) -> int:
        if not updates:
            return 0
        with faults():
            try:
                done = await self._collection(resource_type).bulk_write(updates, ordered=False)
                return int(done.modified_count)
            except BulkWriteError as fault:
                if fault.details["writeConcernErrors"] or not fault.details["writeErrors"]:
                    raise
                for each in fault.details["writeErrors"]:
                    self._fail(resource_type, each["op"]["q"]["_id"])
                return int(fault.details["nModified"])

    def _fail(self, resource_type: str, logical_id: str) -> None:
        self._job["failed"] = [*self._job["failed"], f"{resource_type}/{logical_id}"][:MOST_TOLD]

    async def _note(self, **changes: Any) -> None:
        changes["failed"] = self._job["failed"]
        if not await jobs.step(self._ctx.store, reindexing.NAME, self._holder, changes):
            raise Lost
        self._job.update(changes)
        self._progress(self._job)

    async def _end(self) -> None:
        """Begins again where the job was prolonged; otherwise it ends, with its AuditEvent."""
        current = await reindexing.state(self._ctx.store)
        again = current["again"] if current else None
        if again:
            begun = {"types": again["types"], "left": again["types"], "generation": again["generation"]}
            begun |= {
                "everything": again["everything"],
                "after": None,
                "seen": 0,
                "total": None,
                "again": None,
            }
            await self._note(**begun, format=search_format.FORMAT)
            return
        status = reindexing.FAILED if self._job["failed"] else reindexing.COMPLETED
        ended: Document = {"status": status, "ended": now(), "holder": None, "until": None}
        types = ",".join(self._job["types"])
        request = FhirRequest(
            "operation",
            operation="reindex",
            query=(("type", types),) if types else (),
            agent=agent(),
            request_id=new_id(),
        )
        async with self._ctx.store.unit(transaction=True) as unit:
            free = {"holder": self._holder, "again": None}
            if not await jobs.end(self._ctx.store, reindexing.NAME, free, ended, unit.session):
                await self._note()  # it is somebody else's, or was prolonged at the last moment
                return
            self._ctx.audit.success(unit, request, Result(200, changed=False))
            await unit.commit()
        self._job.update(ended)
        self._progress(self._job)


def agent() -> Agent:
    return Agent(user_agent="fhir-server reindex")
