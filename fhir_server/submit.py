"""The `submit` that importers are handed: their Bundles go the way of a REST client's."""

from __future__ import annotations

import uuid

from fhir_server.context import Agent, Context, FhirRequest
from fhir_server.system.dispatch import answer
from importers.submit import Sender, Submit
from resources.codec import Json


def submitter(ctx: Context, *, plain: bool = False) -> Submit:
    """`submit` on this server; with `plain` of Bundles that have nothing to do with search parameters of its own."""

    async def submit(bundle: Json, sender: Sender, key: str | None = None) -> Json | None:
        request = FhirRequest(
            interaction=bundle["type"],
            resource=bundle,
            agent=agent_of(sender),
            request_id=str(uuid.uuid4()),
            key=key,
            plain=plain,
        )
        return (await answer(ctx, request)).resource

    return submit


def agent_of(sender: Sender) -> Agent:
    """Whom the audit trail names."""
    return Agent(sender.address, sender.software, sender.who)
