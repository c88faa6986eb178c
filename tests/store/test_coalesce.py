"""Batches are formed, answers find their callers, and nobody suffers for another's cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.store.coalesce import Coalescer, cancelled, settled


class Work:
    """Doubles numbers; negative ones fail, and 0 fails its whole batch. `gate` holds batches back."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> list[int | BaseException]:
        self.batches.append(list(items))
        await self.gate.wait()
        if 0 in items:
            raise ZeroDivisionError
        return [ValueError(item) if item < 0 else item * 2 for item in items]


async def test_one_turn_of_the_loop_is_one_batch() -> None:
    work = Work()
    coalescer = Coalescer[int, int](work, most=10)
    assert await asyncio.gather(*(coalescer.submit(n) for n in (1, 2, 3))) == [2, 4, 6]
    assert work.batches == [[1, 2, 3]]


async def test_what_comes_while_all_lanes_are_busy_waits_together_up_to_the_most() -> None:
    work = Work()
    work.gate.clear()
    coalescer = Coalescer[int, int](work, most=2, lanes=1)
    first = coalescer.submit(1)
    await asyncio.sleep(0)
    rest = [coalescer.submit(n) for n in (2, 3, 4)]
    await asyncio.sleep(0.01)
    assert work.batches == [[1]]
    work.gate.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3], [4]]


async def test_a_failure_is_its_callers_alone_but_that_of_a_batch_is_everybodys() -> None:
    coalescer = Coalescer[int, int](Work(), most=10)
    answers = await asyncio.gather(*(coalescer.submit(n) for n in (1, -1, 2)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 4
    answers = await asyncio.gather(*(coalescer.submit(n) for n in (1, 0, 2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ZeroDivisionError] * 3
    assert await coalescer.submit(5) == 10


async def test_too_few_answers_are_a_fault_and_no_endless_wait() -> None:
    async def forgetful(items: Sequence[int]) -> list[int]:
        return [1]

    coalescer = Coalescer[int, int](forgetful, most=10)
    async with asyncio.timeout(1):
        answers = await asyncio.gather(coalescer.submit(1), coalescer.submit(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [AssertionError] * 2


@pytest.mark.parametrize("settle", [False, True])
async def test_what_is_cancelled_while_it_waits_is_never_done(settle: bool) -> None:
    work = Work()
    work.gate.clear()
    coalescer = Coalescer[int, int](work, most=10, lanes=1)
    first = coalescer.submit(1)
    await asyncio.sleep(0)

    async def ask(number: int) -> int:
        return await (coalescer.settle(number) if settle else coalescer.submit(number))

    second, third = asyncio.create_task(ask(2)), asyncio.create_task(ask(3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    work.gate.set()
    assert (await first, await third) == (2, 6)
    assert second.cancelled()
    assert work.batches == [[1], [3]]


async def test_what_is_under_way_is_waited_for_and_the_deadline_is_forgiven() -> None:
    work = Work()
    work.gate.clear()
    coalescer = Coalescer[int, int](work, most=10)
    asyncio.get_running_loop().call_later(0.1, work.gate.set)
    async with asyncio.timeout(0.02):
        assert await coalescer.settle(4) == 8
        assert cancelled()
    assert not cancelled()


async def test_a_cancelled_caller_does_not_stop_the_batch_of_others() -> None:
    work = Work()
    work.gate.clear()
    coalescer = Coalescer[int, int](work, most=10)
    tasks = [asyncio.ensure_future(coalescer.submit(n)) for n in (1, 2, 3)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    work.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], asyncio.CancelledError)
    assert answers[2] == 6


async def test_settled_lets_failures_out() -> None:
    async def failing() -> None:
        await asyncio.sleep(0.05)
        raise ValueError

    with pytest.raises(ValueError):
        async with asyncio.timeout(0.01):
            await settled(failing())


async def test_idle_waits_for_what_was_submitted() -> None:
    work = Work()
    coalescer = Coalescer[int, int](work, most=1, lanes=1)
    futures = [coalescer.submit(n) for n in (1, 2, 3)]
    await coalescer.idle()
    assert [future.result() for future in futures] == [2, 4, 6]


@given(
    asked=st.lists(
        st.tuples(st.integers(-2, 5), st.integers(0, 6), st.booleans(), st.booleans()), max_size=30
    ),
    most=st.integers(1, 5),
    lanes=st.integers(1, 3),
)
def test_whoever_is_cancelled_the_others_get_theirs_and_nothing_is_left(
    asked: list[tuple[int, int, bool, bool]], most: int, lanes: int
) -> None:
    """Callers come at any turn of the loop; some are cancelled two turns later."""

    async def scene() -> None:
        work = Work()
        coalescer = Coalescer[int, int](work, most=most, lanes=lanes)

        async def caller(number: int, turn: int, settle: bool) -> int:
            for _ in range(turn):
                await asyncio.sleep(0)
            return await (coalescer.settle(number) if settle else coalescer.submit(number))

        tasks = [asyncio.create_task(caller(number, turn, settle)) for number, turn, settle, _ in asked]
        for _ in range(3):
            await asyncio.sleep(0)
        for task, (*_, cancel) in zip(tasks, asked, strict=True):
            if cancel:
                task.cancel()
        async with asyncio.timeout(5):
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            await coalescer.idle()
        failed = {number for batch in work.batches if 0 in batch for number in batch}
        for (number, _, _, cancel), answer in zip(asked, answers, strict=True):
            if cancel and isinstance(answer, asyncio.CancelledError):
                continue
            if isinstance(answer, ZeroDivisionError):
                assert number in failed
            else:
                assert answer == number * 2 if number > 0 else isinstance(answer, ValueError)
        assert all(len(batch) <= most for batch in work.batches)
        assert not coalescer._waiting
        assert not coalescer._running
        assert coalescer._free == lanes

    asyncio.run(scene())
