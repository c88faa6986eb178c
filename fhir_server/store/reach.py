"""Whether MongoDB can be reached: of an outage one wait is enough, not one for each step of each request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import AsyncMongoClient

from fhir_server.store.documents import Document
from fhir_server.store.faults import away, faults


class Reach:
    """Notices outages; the driver, which listens to MongoDB all the time, tells when one is over."""

    def __init__(self, client: AsyncMongoClient[Document]) -> None:
        self._client = client
        self._patience = client.options.server_selection_timeout
        self._lost_since: float | None = None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around what asks MongoDB for something: its errors come out as what they mean, and it is not even
        asked when it has been away for longer than a request waits.
        """
        self.check()
        with faults():
            yield

    def check(self) -> None:
        """Raises a 503 when MongoDB has been away for longer than a request waits."""
        if self._client.topology_description.has_writable_server():
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = time.monotonic()
        elif time.monotonic() - self._lost_since > self._patience:
            raise away()
