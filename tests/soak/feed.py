"""The long form of tests/durability/test_feed_kills.py.

python -m tests.soak.feed [MESSAGES [KILLS]]      default 100000 10
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.durability.feed_kills import fed


def main() -> None:
    messages, kills = [*map(int, sys.argv[1:]), *(100_000, 10)[len(sys.argv) - 1 :]]
    folder = Path(tempfile.mkdtemp(prefix="fhir-feed-"))
    print(f"Data and log in {folder}; they stay there when a message is lost", flush=True)
    began = time.monotonic()
    accepted = asyncio.run(fed(folder / "data", messages, kills))
    seconds = sorted(accepted.seconds.values())
    print(
        f"{messages} messages, {kills} kills, {time.monotonic() - began:.0f} s: each is stored once. "
        f"p99 of the answers {seconds[len(seconds) * 99 // 100] * 1000:.0f} ms, {accepted.lost} connections lost, "
        f"{accepted.rejected} messages sent again after AR"
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
