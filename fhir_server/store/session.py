"""One MongoDB transaction: what can become of it, and that none is left open when the connection is lost.

https://www.mongodb.com/docs/manual/core/transactions/
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pymongo
import structlog
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from fhir_server.store.coalesce import settled
from fhir_server.store.documents import Document
from fhir_server.store.faults import Away, WriteConflict, in_doubt, too_much, translated
from fhir_server.store.reach import Reach
from resources.outcome import FHIRError

DURABLE = WriteConcern(w="majority", j=True)

NO_SUCH_TRANSACTION = 251
OLD_SECONDS = 30
"""A transaction that MongoDB ended is begun again, but not one as old as this: it would take as long again"""

FAREWELL_SECONDS = 0.5
RELEASE_SECONDS = 900
"""How long a lost transaction is tried to be ended: longer than MongoDB keeps one by itself"""

log = structlog.get_logger()


class Transactions:
    """Begins transactions, and ends those that got lost: their locks would stay for minutes otherwise."""

    def __init__(self, client: AsyncMongoClient[Document], reach: Reach) -> None:
        self._client = client
        self._reach = reach
        self._releasing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncClientSession]:
        """A transaction that commits at the end of the block and is undone when the block raises.

        A commit that has begun cannot be called back: a task that is cancelled meanwhile waits for what comes
        of it, and learns the truth.
        """
        started, lost = time.monotonic(), False
        session = self._client.start_session()
        try:
            with self._reach.asking():
                await session.start_transaction(ReadConcern("snapshot"), DURABLE)
                yield session
                await self._commit(session)
        except BaseException as fault:
            lost = isinstance(translated(fault), Away)
            if time.monotonic() - started > OLD_SECONDS and _was_ended(fault):
                raise too_much() from fault
            raise
        finally:
            if lost:
                self._release(session)
            else:
                await session.end_session()

    async def _commit(self, session: AsyncClientSession) -> None:
        """The driver tries twice. Whatever the second try ends with, a login that fails because MongoDB is just
        starting for example, the first may have been done: only what MongoDB says of the commit itself counts.
        """
        try:
            await settled(session.commit_transaction())
        except Exception as fault:
            meant = translated(fault)
            undone = isinstance(meant, WriteConflict) or (
                isinstance(meant, FHIRError) and meant.status == 413
            )
            if undone:
                raise
            raise in_doubt() from fault

    def _release(self, session: AsyncClientSession) -> None:
        task = asyncio.get_running_loop().create_task(self._end(session))
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def _end(self, session: AsyncClientSession) -> None:
        """Has the transaction undone as soon as MongoDB can be reached.

        Only then is the session given back: the driver would let another transaction have it, and that one
        would be killed.
        """
        try:
            for _ in range(RELEASE_SECONDS):
                try:
                    await self._client.admin.command("killSessions", [session.session_id])
                    return
                except OperationFailure as refused:
                    if not isinstance(translated(refused), Away):
                        log.warning("lost_transaction_not_ended", code=refused.code)
                        return
                except PyMongoError:
                    pass
                await asyncio.sleep(1)
        finally:
            with pymongo.timeout(FAREWELL_SECONDS):
                await session.end_session()

    async def close(self) -> None:
        for task in tuple(self._releasing):
            task.cancel()
        await asyncio.gather(*self._releasing, return_exceptions=True)


def _was_ended(fault: BaseException) -> bool:
    """Whether MongoDB no longer knew the transaction: it ends those that are older than its limit."""
    cause = fault if isinstance(fault, OperationFailure) else fault.__cause__
    return isinstance(cause, OperationFailure) and cause.code == NO_SUCH_TRANSACTION
