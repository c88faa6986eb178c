"""The job that makes the search values of stored resources anew: what was asked for, and how far it is.

There is one at a time on a database. `fhir_server.operations.reindex` does the work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fhir_server.store import jobs
from fhir_server.store.documents import Document, instant, now
from fhir_server.store.search_format import FORMAT

if TYPE_CHECKING:
    from fhir_server.store.store import Store
    from resources.codec import Json

NAME = "reindex"
RUNNING, COMPLETED, FAILED = "running", "completed", "failed"


async def state(store: Store) -> Document | None:
    """The job that runs, or the last one; None if there never was one."""
    return await jobs.state(store, NAME)


async def ask(store: Store, types: Iterable[str], generation: int, *, everything: bool = False) -> Document:
    """Has the types indexed up to a generation of the parameters, or (`everything`) anew whatever they have.

    While a job runs it is prolonged: it begins again, with these types too, when it is through.
    """
    wanted = sorted(types)
    job: Document = {
        "status": RUNNING,
        "types": wanted,
        "left": wanted,
        "after": None,
        "generation": generation,
        "everything": everything,
        "seen": 0,
        "changed": 0,
        "total": None,
        "again": None,
        "failed": [],
        "format": FORMAT,
        "begun": now(),
        "ended": None,
        "holder": None,
        "until": None,
    }
    while True:
        made = await jobs.change(store, NAME, {"status": {"$ne": RUNNING}}, {"$set": job}, upsert=True)
        if made is not None:
            return made
        running = await state(store)
        if running is not None and _covers(running, wanted, generation, everything=everything):
            return running
        again: dict[str, Any] = {
            "$addToSet": {"again.types": {"$each": wanted}},
            "$max": {"again.generation": generation, "again.everything": everything},
        }
        prepared = {"$set": {"again": {"types": [], "generation": 0, "everything": False}}}
        await jobs.change(store, NAME, {"status": RUNNING, "again": None}, prepared)
        prolonged = await jobs.change(store, NAME, {"status": RUNNING}, again)
        if prolonged is not None:
            return prolonged


def _covers(job: Document, types: Iterable[str], generation: int, *, everything: bool) -> bool:
    """Whether nothing is wanted but what the job does: who interrupted it asks for the same again."""
    enough = job["generation"] >= generation and (job["everything"] or not everything)
    return bool(enough and job["format"] == FORMAT and set(types) <= set(job["types"]))


def works_on(job: Document, resource_type: str, generation: int) -> bool:
    """Whether the type will be indexed up to the generation when the job is done."""
    if job["status"] != RUNNING:
        return False
    parts = [job, *([job["again"]] if job["again"] else [])]
    return any(resource_type in part["types"] and part["generation"] >= generation for part in parts)


def percent(job: Document) -> int:
    """How much of what was there when the job began is done."""
    if job["status"] == COMPLETED:
        return 100
    return min(99, 100 * job["seen"] // max(1, sum(job["total"].values()))) if job["total"] else 0


def parameters(job: Document | None) -> Json:
    """The state as Parameters. http://hl7.org/fhir/R4/parameters.html"""
    found: list[Json] = [{"name": "status", "valueCode": "none" if job is None else job["status"]}]
    if job is not None:
        found += [{"name": "type", "valueCode": each} for each in job["types"]]
        found += [{"name": name, "valueInteger": job[name]} for name in ("seen", "changed")]
        found.append({"name": "percent", "valueInteger": percent(job)})
        if job["total"]:
            found.append({"name": "total", "valueInteger": sum(job["total"].values())})
        found += [{"name": "failed", "valueString": each} for each in job["failed"]]
        found += [
            {"name": name, "valueInstant": instant(job[name])} for name in ("begun", "ended") if job[name]
        ]
    return {"resourceType": "Parameters", "parameter": found}
