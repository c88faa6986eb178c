"""Things to be done once: a key is marked as done in the same MongoDB transaction as what was done under it.

Who may be interrupted and start again (a load, a feed whose sender repeats a message) gives each piece of
work a key. What is marked is not done again, and what is not marked left nothing behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.context import FhirRequest, Result
from fhir_server.store.documents import instant, now
from fhir_server.store.indexes import DONE
from resources.outcome import information

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhir_server.store.store import Store
    from fhir_server.store.unit import Unit


async def done_before(unit: Unit, request: FhirRequest) -> Result | None:
    """The answer to a request whose key is marked; otherwise None, and the unit commits with the mark."""
    if request.key is None:
        return None
    mark = await unit.current(DONE, request.key)
    if mark is not None:
        text = f"This was done at {instant(mark['t'])} and is not done again"
        return Result(200, outcome=information(text), changed=False, repeated=True)
    unit.stage(DONE, {"_id": request.key, "t": now()})
    return None


def entry_key(key: str | None, position: int) -> str | None:
    """The key of one entry of a batch, which is done by itself."""
    return None if key is None else f"{key}/{position}"


async def done(store: Store, keys: Iterable[str]) -> set[str]:
    """Those of the keys that are marked."""
    found = await store.find(DONE, {"_id": {"$in": list(keys)}}, projection={"_id": 1})
    return {mark["_id"] for mark in found}
