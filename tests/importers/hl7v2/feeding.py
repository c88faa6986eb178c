"""A feed on a real MongoDB with a mapping of its own, and messages for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from fhir_server.app import open_context, open_store
from fhir_server.context import Context
from fhir_server.feed import with_feed
from fhir_server.settings import Settings
from fhir_server.store.store import Store
from importers.hl7v2.config import FeedConfig, Feeds
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.feed import Feed
from importers.hl7v2.rows import Answered, Peer

PEER = Peer("mllp", "192.0.2.7")
NUMBERS = "urn:example:numbers"


def patient(_standard: Any, conversion: Conversion) -> None:
    """A mapping as small as one can be: PID-3 and PID-5."""
    pid = conversion.message.first("PID")
    assert pid is not None
    if pid.text(5) == "EXPLODE":
        raise RuntimeError("a mapping that is wrong")
    number = pid.text(3)
    resource = {
        "resourceType": "Patient",
        "identifier": [{"system": NUMBERS, "value": number}],
        "name": [{"family": pid.text(5) or "?"}],
        **({"gender": pid.text(8)} if pid.text(8) else {}),
    }
    conversion.add(resource, match=(f"identifier={NUMBERS}|{number}",))


def message(
    number: str, family: str, control_id: str = "1", *, sender: str = "LAB|HOSP", **more: str
) -> bytes:
    gender, when = more.get("gender", ""), more.get("when", "20260101120000+0000")
    lines = [
        f"MSH|^~\\&|{sender}|HUB|X|{when}||ADT^A01|{control_id}|P|2.5.1{more.get('accept', '')}",
        f"PID|1||{number}||{family}|||{gender}",
    ]
    return ("\r".join(lines) + "\r").encode()


@dataclass
class Server:
    """One server process as far as the feed is concerned."""

    ctx: Context
    feed: Feed
    store: Store

    async def feed_one(self, raw: bytes) -> Answered:
        return await self.feed.receive(raw, PEER)

    async def patients(self) -> list[dict[str, Any]]:
        return [each["r"] for each in await self.store.find("Patient", {})]

    async def rows(self, **criteria: Any) -> list[dict[str, Any]]:
        return await self.store.find("_feed", criteria, sort=[("t", 1), ("n", 1)])


Mapping = Callable[[Any, Conversion], None]


@asynccontextmanager
async def serving(
    uri: str, database: str, mapping: Mapping = patient, **settings: Any
) -> AsyncIterator[Server]:
    chosen = Settings(mongodb_uri=SecretStr(uri), mongodb_database=database, **settings)
    store = open_store(chosen)
    overrides = {"ADT^A01": mapping, "ADT^A08": mapping}
    ctx = with_feed(await open_context(chosen, store), Feeds(FeedConfig(overrides=overrides)))
    assert ctx.feed is not None
    try:
        yield Server(ctx, ctx.feed, store)
    finally:
        await ctx.feed.idle()
        await store.close()


def code(answered: Answered) -> str:
    """MSA-1 and MSA-2 of the last answer."""
    line = next(each for each in answered.answers[-1].decode().split("\r") if each.startswith("MSA"))
    return " ".join(line.split("|")[1:3])
