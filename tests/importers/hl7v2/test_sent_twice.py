"""Messages of others, each sent twice, or in another order: nothing is done again, and none is refused for that."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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


there = pytest.mark.skipif(
    not corpus.FOLDER.is_dir(), reason="no messages of others: FHIR_CORPUS names their folder"
)
FROM_FILES = replace(PEER, door="file")
"""Of these no MSH-10 is asked"""


def messages() -> Iterator[tuple[Path, bytes]]:
    for file in sorted(corpus.FOLDER.glob("*.hl7")):
        for raw in split(file.read_bytes()).messages:
            yield file, raw


def renumbered(raw: bytes, number: int) -> bytes:
    """The same message under another MSH-10."""
    header = re.search(rb"MSH(.)[^\r\n]*", raw)
    assert header is not None
    fields = header[0].split(header[1])
    fields[9:10] = [b"AGAIN%d" % number]
    return raw[: header.start()] + header[1].join(fields) + raw[header.end() :]


@there
async def test_of_what_comes_twice_the_second_is_a_duplicate(mongod_uri: str, database_name: str) -> None:
    async with serving(mongod_uri, database_name) as server:
        feed = with_feed(server.ctx, Feeds()).feed
        assert feed is not None
        processed = 0
        for file, raw in messages():
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


@there
async def test_what_comes_again_under_another_number_says_nothing_new(
    mongod_uri: str, database_name: str
) -> None:
    anew = set()
    async with serving(mongod_uri, database_name) as server:
        feed = with_feed(server.ctx, Feeds()).feed
        assert feed is not None
        for number, (file, raw) in enumerate(messages()):
            first = await feed.receive(raw, FROM_FILES)
            if first.row.status != "processed":
                continue
            before = await versions(server.ctx)
            again = await feed.receive(renumbered(raw, number), FROM_FILES)
            assert again.row.status == "processed", file
            if await versions(server.ctx) != before:
                anew.add(file.name[:4])
    # Patients without a number: each message is about somebody else (docs/hl7v2.md#identity).
    assert anew == {"v039", "v040", "v041", "v042"}


@there
@pytest.mark.parametrize("order", ["backwards", "shuffled"])
async def test_whatever_the_order_none_is_refused(mongod_uri: str, database_name: str, order: str) -> None:
    arriving = list(messages())
    if order == "backwards":
        arriving.reverse()
    else:
        random.Random(7).shuffle(arriving)
    async with serving(mongod_uri, database_name) as server:
        feed = with_feed(server.ctx, Feeds()).feed
        assert feed is not None
        refused = set()
        for file, raw in arriving:
            if (await feed.receive(raw, FROM_FILES)).row.status == "error":
                refused.add(file.name[:4])
    assert refused == {"v077"}  # it has no PID
