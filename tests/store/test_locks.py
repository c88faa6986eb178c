from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.store.locks import KeyedLocks


async def test_one_key_one_holder() -> None:
    locks, inside, most = KeyedLocks(), 0, 0

    async def holder() -> None:
        nonlocal inside, most
        async with locks.hold(["k"]):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(holder() for _ in range(20)))
    assert most == 1
    assert not locks._locks


async def test_other_keys_do_not_wait() -> None:
    locks = KeyedLocks()
    async with locks.hold(["a"]), asyncio.timeout(1), locks.hold(["b"]):
        pass


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcd"), max_size=4), st.integers(0, 8), st.booleans()),
        max_size=20,
    )
)
def test_overlapping_keys_never_block_each_other_for_good(asked: list[tuple[list[str], int, bool]]) -> None:
    """Any keys in any order, repeated ones too; some callers are cancelled while they wait or hold."""

    async def scene() -> None:
        locks, held = KeyedLocks(), set[str]()

        async def holder(keys: list[str], turns: int) -> None:
            async with locks.hold(keys):
                assert not held & set(keys)
                held.update(keys)
                try:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                finally:
                    held.difference_update(keys)

        tasks = [asyncio.create_task(holder(keys, turns)) for keys, turns, _ in asked]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task, (_, _, cancel) in zip(tasks, asked, strict=True):
            if cancel:
                task.cancel()
        async with asyncio.timeout(5):
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(end is None or isinstance(end, asyncio.CancelledError) for end in ends)
        assert not locks._locks

    asyncio.run(scene())
