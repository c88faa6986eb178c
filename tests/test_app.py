"""The end of a server: nothing that works behind it keeps it from ending."""

from __future__ import annotations

import asyncio

from fhir_server.app import ended


async def test_a_task_that_outlives_a_cancellation_is_asked_again() -> None:
    heard = 0

    async def deaf() -> None:
        nonlocal heard
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard += 1
                if heard == 2:
                    raise

    async def failing() -> None:
        raise ValueError

    tasks = [asyncio.create_task(deaf()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    await asyncio.wait_for(ended(tasks), 10)
    assert heard == 2
    assert all(task.done() for task in tasks)
