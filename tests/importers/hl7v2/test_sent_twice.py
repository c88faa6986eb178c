"""Messages of others, each sent twice: the second time gets the same answer and changes nothing."""

from __future__ import annotations

import pytest

from fhir_server.context import Context
from fhir_server.feed import with_feed
from importers.hl7v2.batch import split
from importers.hl7v2.config import Feeds
from importers.hl7v2.rows import OPEN
from tests.importers.hl7v2 import corpus
from tests.importers.hl7v2.feeding import PEER, serving


async def versions(ctx: Context) -> dict[str, tuple[int, int]]:
    """By type: how many resources there are, and how many versions."""
    found = {}
    for name in await ctx.store.stored_types():
        if name != "AuditEvent":
            stored = await ctx.store.find(name, {}, projection={"v": 1})
            found[name] = (len(stored), sum(each["v"] for each in stored))
    return found


@pytest.mark.skipif(
    not corpus.FOLDER.is_dir(), reason="no messages of others: FHIR_CORPUS names their folder"
)
async def test_of_what_comes_twice_the_second_is_a_duplicate(mongod_uri: str, database_name: str) -> None:
    async with serving(mongod_uri, database_name) as server:
        feed = with_feed(server.ctx, Feeds()).feed
        assert feed is not None
        processed = 0
        for file in sorted(corpus.FOLDER.glob("*.hl7")):
            for raw in split(file.read_bytes()).messages:
                first = await feed.receive(raw, PEER)
                assert first.row.status not in OPEN, file
                before = await versions(server.ctx)
                again = await feed.receive(raw, PEER)
                assert await versions(server.ctx) == before, file
                if "unreadable" not in first.row.flags:
                    assert again.answers == first.answers, file
                    assert again.row.status == "duplicate", file
                processed += first.row.status == "processed"
        assert processed > 70
