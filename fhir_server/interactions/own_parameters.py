"""The search parameters of this server's own: how a SearchParameter that is stored becomes one of them, how every
server on the database gets to know it, and when it may be used.

Each change of them is a new generation; the generation by which a resource was indexed stands beside its values. A
search by a parameter is answered only while no resource of the type has values of a generation before the parameter's
own: a resource that was written by somebody who did not know the parameter yet is never passed over in silence
(docs/adr/0014-own-search-parameters.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from capability.table import TABLE
from fhir_server.search.site import Site
from fhir_server.store import jobs
from fhir_server.store.documents import Document, now
from resources import custom_parameter
from resources.outcome import FHIRError, unprocessable
from resources.search_parameters import SearchParameter

if TYPE_CHECKING:
    from fhir_server.store.store import Store
    from fhir_server.store.unit import Unit

COLLECTION = "_parameters"
NAME = "search"

MOST = 500
"""Parameters of a server's own, one counted for each type it is about"""

FORGOTTEN_AFTER = 1.0
"""Seconds after which a server looks whether others have changed them"""

LOCK = "search parameters"
"""Who writes a SearchParameter holds it"""

log = structlog.get_logger()


async def prepare(store: Store) -> None:
    """Makes the document that every change is a new version of."""
    await store.collections.ensure(COLLECTION)
    first: Document = {"v": 0, "t": now(), "r": {"own": []}}
    await jobs.insert_missing(store, COLLECTION, NAME, first)


async def register(unit: Unit, logical_id: str, parameters: Sequence[SearchParameter]) -> None:
    """Stages what the SearchParameter resource with this id makes searchable from now on, which may be nothing.

    422 where another one defines the same code for the same type.
    """
    current = await unit.current(COLLECTION, NAME)
    assert current is not None
    others = [entry for entry in current["r"]["own"] if entry["id"] != logical_id]
    before = next((entry for entry in current["r"]["own"] if entry["id"] == logical_id), None)
    facts = [custom_parameter.to_json(each) for each in parameters]
    if facts == (_facts(before) if before else []):
        return
    _refuse_clash(facts, others)
    generation = current["v"] + 1
    moment = now()
    if facts:
        made = [{**each, "generation": generation} for each in facts]
        others.append({"id": logical_id, "since": moment, "parameters": made})
    stored = {"_id": NAME, "v": generation, "t": moment, "r": {"own": others}}
    unit.stage(COLLECTION, stored, current)


def _facts(entry: Document) -> list[Document]:
    """Without the generation: whether something else is meant now."""
    return [{**each, "generation": 0} for each in entry["parameters"]]


def _refuse_clash(facts: Sequence[Document], others: Sequence[Document]) -> None:
    taken = {(each["base"][0], each["code"]): entry for entry in others for each in entry["parameters"]}
    for each in facts:
        other = taken.get((each["base"][0], each["code"]))
        if other is not None:
            text = f"{each['base'][0]} is searched by '{each['code']}' already, as SearchParameter/{other['id']} defines it"
            raise unprocessable(text, "SearchParameter.code")
    if len(taken) + len(facts) > MOST:
        text = f"This server has {len(taken)} search parameters of its own, one counted for each type; {MOST} are possible"
        raise unprocessable(text, "SearchParameter.base", code="too-costly")


class OwnParameters:
    """What this process knows of them: a `Site` with the table they are in."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self._site = site
        self._version = 0
        self._looked = -FORGOTTEN_AFTER
        self._looking: asyncio.Task[None] | None = None

    async def recent(self) -> Site:
        """The site as it was at most a second ago; what is older only while the database does not answer."""
        if time.monotonic() - self._looked > FORGOTTEN_AFTER:
            try:
                await self._look_once()
            except FHIRError:
                log.warning("search_parameters_not_read")
        return self._site

    async def newest(self) -> Site:
        """The site as it is now."""
        await self._look()
        return self._site

    def forget(self) -> None:
        """They may just have been changed: look again before the next request."""
        self._looked = -FORGOTTEN_AFTER

    async def _look_once(self) -> None:
        """One look is that of all who wait for it."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        started = time.monotonic()
        found = await self._store.find(COLLECTION, {"_id": NAME, "v": {"$gt": self._version}}, limit=1)
        if found and found[0]["v"] > self._version:
            self._version = found[0]["v"]
            usable, generation = _usable(found[0])
            table = replace(TABLE, custom=usable)
            self._site = replace(self._site, table=table, generation=generation)
        self._looked = max(started, self._looked)


def _usable(stored: Document) -> tuple[tuple[SearchParameter, ...], int]:
    """Those that can be evaluated, and the generation that what they index belongs to.

    Another release may have taken what this one cannot evaluate: that must not stop writes, but what is written
    without it counts as written before it.
    """
    usable: list[SearchParameter] = []
    generation: int = stored["v"]
    for entry in stored["r"]["own"]:
        for facts in entry["parameters"]:
            parameter = custom_parameter.from_json(facts)
            told = list(custom_parameter.faults(parameter))
            if told:
                log.error("search_parameter_not_usable", id=entry["id"], reason=told[0][:300])
                generation = min(generation, parameter.generation - 1)
            else:
                usable.append(parameter)
    return tuple(usable), generation


async def since(store: Store, generation: int) -> Any:
    """When a generation began; None where it is no longer the one of any parameter."""
    found = await store.find(COLLECTION, {"_id": NAME}, limit=1)
    entries = found[0]["r"]["own"] if found else []
    return next(
        (each["since"] for each in entries if each["parameters"][0]["generation"] == generation), None
    )
