"""An event loop whose time costs nothing."""

import asyncio
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.virtual_time import EPOCH, LoopClock, run

DELAYS = st.lists(st.floats(0, 1e8) | st.sampled_from([0.0, 0.02, 1.0, 86400.0]), min_size=1, max_size=20)


@pytest.mark.parametrize("years", [1, 10])
def test_years_pass_at_once(years):
    async def wait():
        await asyncio.sleep(years * 365 * 86400)
        return asyncio.get_running_loop().time()

    before = time.monotonic()
    assert run(wait()) == years * 365 * 86400
    assert time.monotonic() - before < 5


@given(DELAYS)
def test_sleepers_wake_in_order_at_their_time(delays):
    async def sleeper(index, delay, woken):
        await asyncio.sleep(delay)
        woken.append((asyncio.get_running_loop().time(), index))

    async def everyone():
        woken = []
        async with asyncio.TaskGroup() as group:
            for index, delay in enumerate(delays):
                group.create_task(sleeper(index, delay, woken))
        return woken

    woken = run(everyone())
    assert woken == sorted(woken, key=lambda each: each[0])
    for moment, index in woken:
        assert moment == pytest.approx(delays[index], abs=1e-6)


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_a_time_limit_fires_exactly_when_the_work_is_longer(limit, work):
    async def limited():
        try:
            async with asyncio.timeout(limit):
                await asyncio.sleep(work)
        except TimeoutError:
            return "late"
        return "done"

    if abs(limit - work) > 1e-6:
        assert run(limited()) == ("late" if work > limit else "done")


def test_the_same_scenario_runs_the_same_way_twice():
    async def scenario():
        trace = []

        async def worker(name, period):
            for _ in range(50):
                await asyncio.sleep(period)
                trace.append((name, asyncio.get_running_loop().time()))

        await asyncio.gather(worker("a", 0.02), worker("b", 0.03), worker("c", 0.02))
        return trace

    assert run(scenario()) == run(scenario())


def test_real_input_still_arrives():
    async def talk():
        left, right = socket.socketpair()
        with left, right:
            for each in (left, right):
                each.setblocking(False)
            loop = asyncio.get_running_loop()
            reader = asyncio.ensure_future(loop.sock_recv(right, 10))
            await loop.sock_sendall(left, b"hello")
            return await reader, await asyncio.to_thread(lambda: time.sleep(0.01) or "from a thread")

    assert run(talk()) == (b"hello", "from a thread")


def test_the_clock_reads_the_time_of_the_loop():
    async def read():
        clock = LoopClock(datetime(2031, 5, 1, tzinfo=UTC))
        await clock.sleep(90)
        return clock.monotonic(), clock.now(), LoopClock().now()

    assert run(read()) == (90, datetime(2031, 5, 1, 0, 1, 30, tzinfo=UTC), EPOCH + timedelta(seconds=90))


def test_an_error_of_the_scenario_comes_out():
    async def fail():
        await asyncio.sleep(5)
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        run(fail())
