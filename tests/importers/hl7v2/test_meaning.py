"""Which messages are accepted by what their header says: MSH-10 is needed where the answer names it, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

import pytest
import pytest_asyncio

from tests.importers.hl7v2.feeding import PEER, Server, code, message, serving

WITHOUT = message("P1", "Jansen", "")


@pytest_asyncio.fixture(loop_scope="session")
async def server(mongod_uri: str, database_name: str) -> AsyncIterator[Server]:
    async with serving(mongod_uri, database_name) as server:
        yield server


async def test_without_a_number_it_is_rejected_over_mllp(server: Server) -> None:
    answered = await server.feed.receive(WITHOUT, replace(PEER, door="mllp"))
    assert code(answered) == "AR "
    assert b"MSH^1^10^1|101^" in answered.answers[0]
    assert await server.patients() == []


@pytest.mark.parametrize("door", ["http", "file"])
async def test_without_a_number_it_is_processed_and_known_by_its_content(
    server: Server, door: Literal["http", "file"]
) -> None:
    peer = replace(PEER, door=door)
    first = await server.feed.receive(WITHOUT, peer)
    assert code(first) == "AA"
    assert [(each.place, each.severity) for each in first.row.issues] == [("MSH-10", "warning")]
    again = await server.feed.receive(WITHOUT.replace(b"\r", b"\r\n"), peer)
    assert (again.row.status, again.answers) == ("duplicate", first.answers)
    other = await server.feed.receive(message("P2", "Maes", ""), peer)
    assert (other.row.status, other.row.flags) == ("processed", ())
    assert len(await server.patients()) == 2
