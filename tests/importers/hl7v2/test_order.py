from __future__ import annotations

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2.order import Order


async def run(wanted: list[frozenset[str]], seed: int) -> list[int]:
    """The order in which they come to their turn, each after a pause of its own."""
    order, done = Order(), []
    pauses = random.Random(seed)
    turns = [order.turn(keys) for keys in wanted]

    async def one(number: int) -> None:
        await asyncio.sleep(pauses.random() / 1000)
        await turns[number].wait()
        done.append(number)
        await asyncio.sleep(pauses.random() / 1000)
        turns[number].end()

    await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(len(wanted)))), 10)
    assert order._last == {}
    return done


@given(
    wanted=st.lists(st.frozensets(st.sampled_from("abc"), max_size=3), max_size=8), seed=st.integers(0, 99)
)
def test_who_has_a_key_in_common_comes_in_the_order_asked(wanted: list[frozenset[str]], seed: int) -> None:
    done = asyncio.run(run(wanted, seed))
    assert sorted(done) == list(range(len(wanted)))
    for first in range(len(wanted)):
        for second in range(first + 1, len(wanted)):
            if wanted[first] & wanted[second]:
                assert done.index(first) < done.index(second)


async def test_who_has_nothing_in_common_does_not_wait() -> None:
    order = Order()
    order.turn({"a"})
    await asyncio.wait_for(order.turn({"b"}).wait(), 1)
    await asyncio.wait_for(order.turn(()).wait(), 1)


async def test_an_end_said_twice_is_one() -> None:
    order = Order()
    first, second = order.turn({"a"}), order.turn({"a"})
    first.end()
    first.end()
    await asyncio.wait_for(second.wait(), 1)
    third = order.turn({"a"})
    first.end()
    assert order._last == {"a": third}
