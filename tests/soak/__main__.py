"""The long form of tests/durability: kills server and MongoDB again and again and counts broken promises.

python -m tests.soak [MINUTES]      default 30
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.durability.checks import judged
from tests.durability.load import Ledger, load
from tests.durability.server import ServerProcess, serving

LONGEST_ANSWER = 20


async def kill_server(server: ServerProcess) -> None:
    server.kill()


async def kill_mongod(server: ServerProcess) -> None:
    server.kill_mongod()
    await asyncio.sleep(2)


async def kill_both(server: ServerProcess) -> None:
    server.kill_mongod()
    server.kill()


async def terminate(server: ServerProcess) -> None:
    await asyncio.to_thread(server.terminate)


async def freeze(server: ServerProcess) -> None:
    mongod = server.mongod
    mongod.send_signal(signal.SIGSTOP)
    await asyncio.sleep(random.uniform(1, 12))
    mongod.send_signal(signal.SIGCONT)


async def rounds(minutes: float, folder: Path) -> None:
    """One data folder, one ledger for each round of ten mishaps, so that checking stays quick."""
    end, mishaps, requests = time.monotonic() + minutes * 60, 0, 0
    number = 0
    while time.monotonic() < end:
        number += 1
        ledger = Ledger()
        with serving(folder / f"round-{number}") as server:
            for _ in range(10):
                mishap = random.choice(
                    [kill_server, kill_server, kill_mongod, kill_mongod, kill_both, terminate, freeze]
                )
                async with load(ledger, server.base_url):
                    await asyncio.sleep(random.uniform(0.5, 4))
                    await mishap(server)
                mishaps += 1
                if server.process is not None and server.process.poll() is not None:
                    await asyncio.to_thread(server.start)
            judged(ledger, server.uri)
        assert ledger.slowest() < LONGEST_ANSWER, ledger.slowest()
        requests += len(ledger.attempts)
        print(f"{mishaps} mishaps, {requests} requests, no promise broken", flush=True)


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="fhir-soak-"))
    print(f"Data and logs in {folder}; they stay there when a promise is broken", flush=True)
    asyncio.run(rounds(float(sys.argv[1]) if len(sys.argv) > 1 else 30, folder))
    shutil.rmtree(folder)
