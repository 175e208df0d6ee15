"""The line before a pool: fair, exact, and safe to cancellation."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.virtual_time import run
from orchestrator_performance._pools.usage import Slots, Usage
from orchestrator_performance.connection_pools import PoolClosed, PoolConfig, Pools, kind_of


def slots(size: int, **settings) -> Slots:
    return Slots(Usage("p", "http", size, hold_seconds=settings.get("hold", 10), stacks=settings.get("stacks", False)))


callers = st.lists(
    st.tuples(st.floats(0, 3), st.floats(0, 2), st.one_of(st.none(), st.floats(0, 2)), st.floats(0.1, 3)),
    min_size=1,
    max_size=40,
)


@given(st.integers(1, 4), callers)
def test_no_place_is_lost_or_given_twice(size: int, callers):
    """Callers that come, hold, are cancelled or lose patience at any moment."""

    async def scenario() -> None:
        line = slots(size)
        most = holding = 0

        async def call(start: float, hold: float, cancel_after: float | None, patience: float) -> None:
            nonlocal most, holding
            await asyncio.sleep(start)
            try:
                async with asyncio.timeout(cancel_after):
                    lease = await line.acquire(patience)
                    try:
                        holding += 1
                        most = max(most, holding)
                        await asyncio.sleep(hold)
                    finally:
                        holding -= 1
                        lease.release()
                        lease.release()
            except TimeoutError:
                pass

        async with asyncio.TaskGroup() as group:
            for each in callers:
                group.create_task(call(*each))
        assert most <= size
        assert (line.usage.in_use, line.usage.waiting) == (0, 0)
        leases = [await line.acquire(0.1) for _ in range(size)]
        assert line.usage.in_use == size
        with pytest.raises(TimeoutError):
            await line.acquire(0.1)
        for each in leases:
            each.release()

    run(scenario())


def test_first_come_first_served():
    async def scenario() -> None:
        line, order = slots(1), []

        async def call(number: int) -> None:
            lease = await line.acquire(None)
            order.append(number)
            await asyncio.sleep(1)
            lease.release()

        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(call(number))
        assert order == list(range(10))

    run(scenario())


def test_a_place_that_is_handed_to_a_caller_as_it_is_cancelled_goes_on():
    async def scenario() -> None:
        line = slots(1)
        first = await line.acquire(None)
        second = asyncio.ensure_future(line.acquire(None))
        await asyncio.sleep(0)
        first.release()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        (await line.acquire(0.1)).release()

    run(scenario())


def test_closing_tells_who_waits_and_refuses_who_comes():
    async def scenario() -> None:
        line = slots(1)
        lease = await line.acquire(None)
        waiting = asyncio.ensure_future(line.acquire(None))
        await asyncio.sleep(0)
        line.close()
        with pytest.raises(PoolClosed, match="closed"):
            await waiting
        with pytest.raises(PoolClosed):
            await line.acquire(None)
        lease.release()
        assert line.usage.in_use == 0

    run(scenario())


async def test_who_keeps_a_connection_is_known_with_the_place_where_it_was_taken():
    line = slots(2, hold=0.02, stacks=True)

    async def forgetful() -> None:
        await line.acquire(None)

    await asyncio.create_task(forgetful(), name="forgetful task")
    assert line.usage.leaks() == []
    await asyncio.sleep(0.03)
    [held] = line.usage.leaks(new=True)
    assert held.task == "forgetful task"
    assert held.seconds > 0.02
    assert any(each.endswith(" forgetful") for each in held.stack)
    assert line.usage.leaks(new=True) == []
    stats = line.usage.stats(idle=0)
    assert (stats.in_use, stats.leaking, stats.acquired) == (1, 1, 1)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("", "http"),
        ("https://a.example", "http"),
        ("rediss://h", "redis"),
        ("valkey://h", "redis"),
        ("postgresql+asyncpg://h/d", "sql"),
        ("sqlite:///f", "sql"),
    ],
)
def test_what_a_url_speaks(url: str, kind: str):
    assert kind_of(PoolConfig(name="x", url=url)) == kind


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigurationError, match="ftp"):
        kind_of(PoolConfig(name="x", url="ftp://user:geheim@host"))
    for settings in ({"size": 0}, {"acquire_seconds": -1}, {"warm": 30}, {"hold_seconds": float("inf")}):
        with pytest.raises(ConfigurationError, match=next(iter(settings))):
            PoolConfig(name="x", **settings)
    assert "geheim" not in repr(PoolConfig(name="x", url="redis://:geheim@h"))


async def test_no_pools_is_fine():
    async with Pools() as pools:
        assert (pools.stats(), pools.leaks(), await pools.check(), pools.names) == ([], [], [], ())
