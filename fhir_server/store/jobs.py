"""Jobs that outlive the process that works on them: a document says how far one is, and who holds it until when.

Whoever holds a job renews its hold with each step; when it does not, another process goes on from the last step.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pymongo.errors import DuplicateKeyError

from fhir_server.store.documents import Document, now
from fhir_server.store.faults import faults

if TYPE_CHECKING:
    from pymongo.asynchronous.client_session import AsyncClientSession

    from fhir_server.store.store import Store

JOBS = "_jobs"
HOLD = timedelta(seconds=15)
"""How long a step may take at most"""


async def insert_missing(store: Store, collection: str, name: str, first: Document) -> Document:
    """The document of that name; `first` if there was none."""
    with faults():
        for _ in range(2):
            try:
                found = await store.collections.collection(collection).find_one_and_update(
                    {"_id": name}, {"$setOnInsert": first}, upsert=True, return_document=True
                )
                break
            except DuplicateKeyError:  # another process inserted it just now
                continue
    assert found is not None
    return dict(found)


async def state(store: Store, name: str) -> Document | None:
    """Where the job is."""
    found = await store.find(JOBS, {"_id": name}, limit=1)
    return found[0] if found else None


async def change(
    store: Store, name: str, condition: Document, update: Document, *, upsert: bool = False
) -> Document | None:
    """The job as it is after the update; None where it does not meet the condition."""
    with faults():
        try:
            found = await store.collections.collection(JOBS).find_one_and_update(
                {"_id": name, **condition}, update, upsert=upsert, return_document=True
            )
        except DuplicateKeyError:
            return None
    return None if found is None else dict(found)


async def take(store: Store, name: str, holder: str, status: str = "running") -> Document | None:
    """The job, if it has that status and nobody else holds it; held by `holder` from now on."""
    moment = now()
    free = {"$or": [{"until": None}, {"until": {"$lt": moment}}, {"holder": holder}]}
    hold = {"$set": {"holder": holder, "until": moment + HOLD}}
    return await change(store, name, {"status": status, **free}, hold)


async def step(store: Store, name: str, holder: str, changes: Document) -> bool:
    """Writes down how far the job is, and renews the hold; False where somebody else has it now."""
    until: datetime = now() + HOLD
    return await change(store, name, {"holder": holder}, {"$set": {"until": until, **changes}}) is not None


async def end(
    store: Store, name: str, condition: Document, changes: Document, session: AsyncClientSession | None
) -> bool:
    """The last step, with what else its transaction does; False where the job does not meet the condition."""
    with faults():
        done = await store.collections.collection(JOBS).update_one(
            {"_id": name, **condition}, {"$set": changes}, session=session
        )
    return bool(done.matched_count)
