"""Two servers on one MongoDB that neither of them owns, under load, one of them killed."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from tests.durability.checks import judged
from tests.durability.load import Ledger, load
from tests.durability.server import serving


async def test_two_servers_on_one_mongodb(mongod_uri: str, tmp_path: Path) -> None:
    ledger, database = Ledger(), f"two_{uuid.uuid4().hex[:12]}"
    settings = {"mongodb_uri": mongod_uri, "mongodb_database": database}
    with serving(tmp_path / "one", **settings) as one, serving(tmp_path / "two", **settings) as two:
        async with load(ledger, one.base_url, two.base_url):
            await asyncio.sleep(3)
            await asyncio.to_thread(one.kill)
            await asyncio.sleep(2)
        await asyncio.to_thread(one.start)
        judged(ledger, mongod_uri, database)
