"""Calls at a rate, in their order. Time is virtual."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel import virtual_time
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience.backpressure_handler import Priority, Shed
from orchestrator_resilience.deadlines import DeadlineExceeded, deadline
from orchestrator_resilience.pacing import Pacer
from orchestrator_resilience.rate_limiter import RateLimiter


def pacer(limits: str, **settings) -> Pacer:
    return Pacer("connector", RateLimiter(limits, clock=LoopClock()), **settings)


def test_a_large_turn_is_served_in_its_order_and_the_important_go_first():
    async def scenario() -> list[str]:
        pace, order = pacer("10/second"), []

        async def caller(name: str, cost: int, priority: Priority = Priority.DEFAULT) -> None:
            await pace.turn(cost, priority)
            order.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(caller("first", 10))
            await asyncio.sleep(0)
            for name, cost in [("large", 8), ("small", 1), ("smaller", 1)]:
                group.create_task(caller(name, cost))
                await asyncio.sleep(0.01)
            group.create_task(caller("vip", 1, Priority.CRITICAL))
        return order

    assert virtual_time.run(scenario()) == ["first", "vip", "large", "small", "smaller"]


@given(st.integers(0, 10_000))
def test_the_rate_is_kept_and_used_whoever_gives_up(seed):
    chance = random.Random(seed)

    async def scenario() -> None:
        pace, turns = pacer("10/second"), []

        async def caller() -> None:
            await pace.turn()
            turns.append(asyncio.get_running_loop().time())

        tasks = [asyncio.create_task(caller()) for _ in range(40)]
        await asyncio.sleep(0.5)
        for each in chance.sample(tasks, 10):
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert pace.waiting == 0
        assert len(turns) >= 30
        for number, moment in enumerate(turns):
            assert moment == pytest.approx(max(0.0, (number - 9) / 10), abs=0.01)

    virtual_time.run(scenario())


def test_no_wait_is_without_an_end():
    async def scenario() -> list[float]:
        pace, ends = pacer("1/minute", max_wait_seconds=5, max_waiting=1), []
        await pace.turn()
        with pytest.raises(Shed, match="waited too long"):
            await pace.turn()
        ends.append(asyncio.get_running_loop().time())
        with pytest.raises(DeadlineExceeded):
            async with deadline(2):
                await pace.turn()
        ends.append(asyncio.get_running_loop().time())
        waiting = asyncio.create_task(pace.turn(priority=Priority.SHEDDABLE))
        await asyncio.sleep(0)
        with pytest.raises(Shed, match="full"):
            await pace.turn(priority=Priority.SHEDDABLE)
        important = asyncio.create_task(pace.turn())
        for refused, why in ((waiting, "displaced"), (important, "waited too long")):
            with pytest.raises(Shed, match=why):
                await refused
        return ends

    assert virtual_time.run(scenario()) == [pytest.approx(5), pytest.approx(7)]


def test_more_than_is_ever_given_at_once_is_refused_at_once():
    with pytest.raises(ConfigurationError, match="cost"):
        virtual_time.run(pacer("10/second").turn(11))
