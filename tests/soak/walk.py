"""The long form of tests/rest/test_search_walk.py: walks in all orders while about 500 writes a second go on.

python -m tests.soak.walk [MINUTES]      default 5
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.durability.server import serving
from tests.rest.test_search_walk import MANY, ORDERS, STABLE
from tests.rest.walking import observation, put, walked, writing

WRITERS = 24


async def walks(minutes: float, base_url: str) -> None:
    """Ends with an AssertionError where one loses or repeats something."""
    headers = {"Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(base_url=f"{base_url}/", headers=headers, timeout=60) as client:
        chance = random.Random(1)
        stable = [observation(each, chance) for each in sorted(STABLE)]
        for at in range(0, MANY, 500):
            await put(client, stable[at : at + 500])
        end, count = time.monotonic() + minutes * 60, 0
        while time.monotonic() < end:
            order = ORDERS[count % len(ORDERS)]
            async with writing(client, WRITERS) as counted:
                await walked(client, f"Observation?_count=20{order}", STABLE)
            count += 1
            rate = counted["writes"] / counted["seconds"]
            print(f"{count} walks, {rate:.0f} writes/s beside the last, nothing lost or repeated", flush=True)


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="fhir-walk-"))
    with serving(folder) as running:
        asyncio.run(walks(float(sys.argv[1]) if len(sys.argv) > 1 else 5, running.base_url))
    shutil.rmtree(folder)
