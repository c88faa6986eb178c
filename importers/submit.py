"""What importers need of the server, handed to them by `app`: `submit(bundle, sender, key)` and `find(queries)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from resources.codec import Json


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent what is submitted, for the audit trail: network address, sending software, and an identity."""

    address: str | None = None
    software: str | None = None
    who: Json | None = None
    """`AuditEvent.agent.who`, a Reference"""


class Submit(Protocol):
    """Performs a batch or transaction Bundle like one that a REST client posts."""

    async def __call__(self, bundle: Json, sender: Sender, key: str | None = None) -> Json | None:
        """The response Bundle, after the commit; FHIRError where the Bundle is refused.

        What has been done under `key` is not done again: of a transaction the answer is then None, of a
        batch each entry is looked at by itself. A key is marked in the same commit as the data.

        http://hl7.org/fhir/R4/http.html#transaction
        """
        ...


class Find(Protocol):
    """Looks up what is stored, for the server's own use: nothing leaves through it, so that it is not audited."""

    async def __call__(self, queries: Sequence[tuple[str, str]]) -> list[list[Json]]:
        """For each (resource type, search query) the current resources that match, with id and meta.versionId.

        At most 1,000 for each. Queries are criteria (`identifier=system|value&status=active`), without `_count` and
        the like; FHIRError 400 where one cannot be understood.
        """
        ...
