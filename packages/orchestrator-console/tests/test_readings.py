from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from orchestrator_console._readings import Reading, Source, read
from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.ports import SystemClock


class Slow:
    """A source that answers when it is let, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.let = asyncio.Event()

    async def __call__(self) -> Sequence[int]:
        self.asked += 1
        await self.let.wait()
        return [self.asked]


def source(ask: Slow, *, fresh: float = 60, limit: float = 5) -> Source[int]:
    return Source(ask, SystemClock(), fresh=fresh, limit=limit)


async def test_who_asks_at_once_is_answered_by_one_look() -> None:
    ask = Slow()
    asked = source(ask)
    waiting = [asyncio.create_task(asked.get()) for _ in range(10)]
    await asyncio.sleep(0)
    ask.let.set()
    assert await asyncio.gather(*waiting) == [Reading((1,))] * 10
    assert await asked.get() == Reading((1,))
    assert ask.asked == 1


async def test_one_who_leaves_takes_the_answer_from_nobody() -> None:
    ask = Slow()
    asked = source(ask)
    leaving, staying = asyncio.create_task(asked.get()), asyncio.create_task(asked.get())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    ask.let.set()
    assert await staying == Reading((1,))
    assert ask.asked == 1


async def test_an_answer_gets_old() -> None:
    ask = Slow()
    ask.let.set()
    asked = source(ask, fresh=0.01)
    assert await asked.get() == Reading((1,))
    await asyncio.sleep(0.02)
    assert await asked.get() == Reading((2,))


async def test_a_source_that_does_not_answer_is_told_in_time() -> None:
    ask = Slow()
    begun = asyncio.get_running_loop().time()
    assert await source(ask, limit=0.05).get() == Reading(problem="No answer within 0.05 s.")
    assert asyncio.get_running_loop().time() - begun < 2


async def test_a_source_that_is_cancelled_from_outside_is_not_taken_for_one_that_fails() -> None:
    task = asyncio.create_task(read(Slow(), 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_of_the_sources_own_is_a_fault_and_not_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> Sequence[int]:
        raise TimeoutError("password=hunter2")

    found = await read(ask, 60)
    assert found.problem == "This cannot be shown; the log says why."
    assert "a source of the console failed" in caplog.text


async def test_a_foreseen_error_says_itself() -> None:
    async def ask() -> Sequence[int]:
        raise DatabaseError("The journal cannot be read.")

    assert await read(ask, 60) == Reading(problem="The journal cannot be read.")
