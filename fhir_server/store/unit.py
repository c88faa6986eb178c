"""A unit of work: what one interaction reads, and what it writes, together with its audit events.

A stored version without its AuditEvent cannot exist: both are written in one MongoDB transaction. The units
of concurrent requests share one transaction where they can (docs/adr/0005-group-commit.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pymongo.asynchronous.client_session import AsyncClientSession

from fhir_server.store.documents import Document
from fhir_server.store.faults import WriteConflict
from fhir_server.store.finds import Find
from resources.outcome import FHIRError

if TYPE_CHECKING:
    from fhir_server.store.store import Store

AUDIT = "AuditEvent"

_UNKNOWN: Document = {}

Expectation = Callable[[], Awaitable[None]]
Criteria = tuple[tuple[str, str], ...]
"""Those of a conditional interaction"""


@dataclass(slots=True, frozen=True)
class Write:
    """One new current document; `previous` is the one it supersedes, None for a first version."""

    resource_type: str
    document: Document
    previous: Document | None = None


class Unit:
    """Reads and staged writes of one interaction, or of one transaction Bundle when it has a `session`."""

    def __init__(
        self, store: Store, session: AsyncClientSession | None = None, *, locks: Sequence[str] = ()
    ) -> None:
        self.store = store
        self.session = session
        self.writes: list[Write] = []
        self.events: list[Document] = []
        self._known: dict[tuple[str, str], Document | None] = {}
        self._staged: dict[tuple[str, str], Document] = {}
        self._expectations: list[tuple[str | None, Expectation]] = []
        self.locks: set[str] = set(locks)
        self.without_match: dict[tuple[str, Criteria], Document] = {}
        self.where: str | None = None
        """The Bundle entry that is being performed, to which later complaints belong"""

    async def current(self, resource_type: str, logical_id: str) -> Document | None:
        """The current document, as this unit sees it, or None; deleted ones have `deleted`."""
        key = (resource_type, logical_id)
        if key in self._known:
            return self._known[key]
        if self.session is None:
            return await self.store.read(resource_type, logical_id)
        found = await self.find(resource_type, {"_id": logical_id}, limit=1)
        return found[0] if found else None

    async def prefetch(self, resource_type: str, ids: Sequence[str]) -> None:
        """Reads many current documents at once, for `current`."""
        found = await self.find(resource_type, {"_id": {"$in": list(ids)}})
        self._known.update({(resource_type, one): None for one in ids})
        self._known.update({(resource_type, document["_id"]): document for document in found})

    def suppose_absent(self, resource_type: str, ids: Iterable[str]) -> None:
        """Spares the look whether they are there: where one is, the commit ends in a `WriteConflict`."""
        self._known.update({(resource_type, one): None for one in ids})

    def is_supposed_absent(self, resource_type: str, logical_id: str) -> bool:
        return self._known.get((resource_type, logical_id), _UNKNOWN) is None

    def suppose_no_match(self, resource_type: str, criteria: Criteria, filter_: Document) -> None:
        """Spares the look for what matches; of a unit that holds the locks of the criteria and commits with others."""
        self.without_match[resource_type, criteria] = filter_

    def is_supposed_without_match(self, resource_type: str, criteria: Criteria) -> bool:
        return (resource_type, criteria) in self.without_match

    async def find(self, resource_type: str, filter_: Document, **options: Any) -> list[Document]:
        return await self.store.find(resource_type, filter_, session=self.session, **options)

    async def find_together(self, resource_type: str, filter_: Document, **options: Any) -> list[Document]:
        """As `find`, together with what others look for at the moment, unless in a transaction."""
        if self.session is not None:
            return await self.find(resource_type, filter_, **options)
        return await self.store.finds.together(Find(resource_type, filter_, **options))

    async def count(self, resource_type: str, filter_: Document, **options: Any) -> int:
        return await self.store.count(resource_type, filter_, session=self.session, **options)

    async def distinct(
        self, resource_type: str, filter_: Document, field: str, **options: Any
    ) -> list[Document]:
        return await self.store.distinct(resource_type, filter_, field, session=self.session, **options)

    def stage(self, resource_type: str, document: Document, previous: Document | None = None) -> None:
        """Adds a write to the unit; nothing reaches the database before `commit` (or `flush`)."""
        self.writes.append(Write(resource_type, document, previous))
        self._known[resource_type, document["_id"]] = document
        self._staged[resource_type, document["_id"]] = document

    def stages(self, resource_type: str, logical_id: str) -> bool:
        """Whether this unit writes a current version of the resource."""
        staged = self._staged.get((resource_type, logical_id))
        return staged is not None and "deleted" not in staged

    def stages_deletion(self, resource_type: str, logical_id: str) -> bool:
        staged = self._staged.get((resource_type, logical_id))
        return staged is not None and "deleted" in staged

    async def lock(self, locks: Iterable[str]) -> None:
        """From now on no other unit that locks one of these commits before this one ends."""
        assert self.session is not None
        new = set(locks) - self.locks
        if new:
            self.locks |= new
            await self.store.touch(new, self.session)

    def expect(self, expectation: Expectation) -> None:
        """Adds what must hold when everything is staged; its FHIRError undoes the whole unit."""
        self._expectations.append((self.where, expectation))

    async def _meet_expectations(self) -> None:
        expectations, self._expectations = self._expectations, []
        for where, expectation in expectations:
            try:
                await expectation()
            except FHIRError as fault:
                raise fault if where is None else fault.within(where) from None

    def record(self, event: Document) -> None:
        """Adds an AuditEvent document to the unit."""
        self.events.append(event)

    async def send(self) -> None:
        """Sends what is staged so far into the open transaction, so that its own searches find it."""
        assert self.session is not None
        writes, self.writes = self.writes, []
        events, self.events = self.events, []
        await self.store.apply(writes, events, self.session)

    async def flush(self) -> None:
        """Sends what is staged, which is all that will be written, after a look at what must hold of it."""
        await self._meet_expectations()
        await self.send()

    async def commit(self) -> None:
        """Makes it all durable, or raises `WriteConflict` or a 503 and leaves nothing behind."""
        if self.session is not None:
            await self.flush()
        elif self.writes:
            await self.store.commit_grouped(self)
        elif self.events:
            await self.store.append(self.events)


async def check_no_match(units: Sequence[Unit], session: AsyncClientSession) -> None:
    """At the beginning of the transaction of units that commit together: takes the locks of all, and looks for all at
    once whether nothing matches where they suppose so; a `WriteConflict` where something does.
    """
    locks = {lock for unit in units for lock in unit.locks}
    if not locks:
        return
    store = units[0].store
    await store.touch(locks, session)
    supposed: dict[str, list[Document]] = defaultdict(list)
    for unit in units:
        for (resource_type, _), filter_ in unit.without_match.items():
            supposed[resource_type].append(filter_)
    for resource_type, filters in supposed.items():
        if await store.find(resource_type, {"$or": filters}, limit=1, projection={"_id": 1}, session=session):
            raise WriteConflict(f"{resource_type}: there is a match after all")
