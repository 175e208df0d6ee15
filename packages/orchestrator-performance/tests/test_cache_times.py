"""How long values are fresh, and what happens when their time comes."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.virtual_time import LoopClock, run
from orchestrator_performance._cache.freshness import CALM_SPANS, Verdict, judge, lifetime, xfetch
from orchestrator_performance.caching import MISSING, Cache, CacheConfig, Loaded, MemoryCache

EULER = 0.5772156649015329


def fresh_cache(**settings) -> Cache[object]:
    return Cache(CacheConfig(name="test", **settings), clock=LoopClock())


times = st.floats(0, 1e6)


@given(times, times, st.floats(0, 100), st.floats(0, 10), st.floats(0, 1, exclude_max=True), times, times)
def test_verdicts_follow_time(now, fresh, cost, beta, roll, revalidate, if_error):
    verdict = judge(now, fresh, cost=cost, beta=beta, roll=roll, revalidate=revalidate, if_error=if_error)
    if now < fresh:
        assert verdict in {Verdict.FRESH, Verdict.EARLY}
        if now < fresh - CALM_SPANS * cost * beta:
            assert verdict is Verdict.FRESH
    elif now < fresh + revalidate:
        assert verdict is Verdict.STALE
    else:
        assert verdict is (Verdict.IN_NEED if now < fresh + if_error else Verdict.GONE)


@given(st.floats(0.001, 1e6), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_jitter_only_shortens(ttl, jitter, roll):
    assert ttl * (1 - jitter) <= lifetime(ttl, jitter, roll) <= ttl


@given(st.floats(0, 100), st.floats(0, 10), st.floats(0, 1, exclude_max=True))
def test_an_expired_value_is_always_loaded_anew(cost, beta, roll):
    assert xfetch(10.0, 10.0, cost=cost, beta=beta, roll=roll)


def test_early_loads_come_as_often_and_as_early_as_the_paper_says():
    """With s = rate * beta * cost, the first early load leads the expiry by beta * cost * (ln s + Euler's constant) on average; none comes with e^-s."""
    dice = random.Random(20150801)
    for rate, cost, beta in ((100.0, 0.5, 1.0), (20.0, 0.1, 1.0), (50.0, 0.2, 2.0)):
        scale = rate * beta * cost
        leads, without, rounds = [], 0, 10_000
        for _ in range(rounds):
            now = 100.0 - (math.log(scale) + 12) * cost * beta
            while True:
                now += dice.expovariate(rate)
                if now >= 100.0:
                    without += 1
                    leads.append(0.0)
                    break
                if xfetch(now, 100.0, cost=cost, beta=beta, roll=dice.random()):
                    leads.append(100.0 - now)
                    break
        # E1(x), the exponential integral, is what is lost where nobody comes early.
        beyond = (
            sum((-1) ** (n + 1) * scale**n / (n * math.factorial(n)) for n in range(1, 60)) - EULER - math.log(scale)
        )
        expected = beta * cost * (math.log(scale) + EULER + (beyond if scale < 5 else 0.0))
        assert sum(leads) / rounds == pytest.approx(expected, rel=0.05)
        assert without / rounds == pytest.approx(math.exp(-scale), abs=0.01)


@pytest.mark.parametrize("expiries", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_expiries_without_a_stampede(expiries: int):
    """Callers come at 50 a second, a load takes 0.2 s, a value is fresh for 2 s: at no time two loads, and nearly nobody waits."""

    async def scenario() -> tuple[int, int, int]:
        cache = fresh_cache(ttl=2, jitter=0)
        dice = random.Random(7)
        loads = running = most = waits = 0

        async def load() -> int:
            nonlocal loads, running, most
            loads += 1
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.2)
            running -= 1
            return loads

        async def call(key: int) -> None:
            nonlocal waits
            clock = asyncio.get_running_loop()
            began = clock.time()
            await cache.get_or_load(0, load)
            waits += clock.time() > began

        tasks = set()
        while loads < expiries:
            await asyncio.sleep(dice.expovariate(50))
            task = asyncio.ensure_future(call(0))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await cache.close()
        stats = cache.stats()
        return most, waits, stats.early

    most, waits, early = run(scenario())
    assert most == 1
    assert early > 0.9 * expiries
    # Only whoever comes between the expiry and the end of a load that began late waits; without early loads ten callers would, each time.
    assert waits < 0.5 * expiries


def test_a_stale_value_is_given_away_while_it_is_loaded_anew_and_only_within_its_bound():
    async def scenario() -> None:
        cache = fresh_cache(ttl=10, jitter=0, early=0, stale_while_revalidate=5)
        loads = 0

        async def load() -> int:
            nonlocal loads
            loads += 1
            await asyncio.sleep(1)
            return loads

        assert await cache.get_or_load("k", load) == 1
        await asyncio.sleep(12)
        assert [await cache.get_or_load("k", load) for _ in range(3)] == [1, 1, 1]
        await asyncio.sleep(1.5)
        assert await cache.get_or_load("k", load) == 2
        await asyncio.sleep(16)
        assert await cache.get_or_load("k", load) == 3
        assert loads == 3

    run(scenario())


def test_a_value_past_its_time_stands_in_for_a_load_that_fails_within_its_bound():
    async def scenario() -> None:
        cache = fresh_cache(ttl=10, jitter=0, early=0, stale_if_error=60)
        works, loads = True, 0

        async def load() -> str:
            nonlocal loads
            loads += 1
            if not works:
                raise ConnectionError("down")
            return "value"

        assert await cache.get_or_load("k", load) == "value"
        works = False
        await asyncio.sleep(30)
        assert cache.peek("k") is MISSING
        for _ in range(100):
            assert await cache.get_or_load("k", load) == "value"
        # After a failure there is a pause of a second before the next try.
        assert loads == 2
        assert cache.stats().in_need == 100
        await asyncio.sleep(45)
        with pytest.raises(ConnectionError):
            await cache.get_or_load("k", load)

    run(scenario())


def test_a_renewal_that_fails_is_not_tried_again_at_once():
    async def scenario() -> None:
        cache = fresh_cache(ttl=10, jitter=0, early=0, stale_while_revalidate=100)
        await cache.put("k", 1)
        loads = 0

        async def load() -> int:
            nonlocal loads
            loads += 1
            raise ConnectionError("down")

        await asyncio.sleep(11)
        for _ in range(500):
            assert await cache.get_or_load("k", load) == 1
            await asyncio.sleep(0.01)
        assert 4 <= loads <= 6

    run(scenario())


def test_that_there_is_none_is_believed_for_a_shorter_time():
    async def scenario() -> None:
        cache = fresh_cache(ttl=100, negative_ttl=5, jitter=0, early=0)
        loads = 0

        async def load() -> None:
            nonlocal loads
            loads += 1

        for _ in range(10):
            assert await cache.get_or_load("k", load) is None
        assert (loads, cache.peek("k")) == (1, None)
        await asyncio.sleep(6)
        assert cache.peek("k") is MISSING
        never = fresh_cache(negative_ttl=0)
        await never.get_or_load("k", load)
        assert never.peek("k") is MISSING

    run(scenario())


def test_a_loader_says_how_long_its_value_holds():
    async def scenario() -> None:
        cache = fresh_cache(ttl=100, jitter=0, early=0)

        async def load() -> Loaded[str]:
            return Loaded("token", ttl=5)

        await cache.get_or_load("k", load)
        await asyncio.sleep(4.9)
        assert cache.peek("k") == "token"
        await asyncio.sleep(0.2)
        assert cache.peek("k") is MISSING

    run(scenario())


def test_what_was_written_together_does_not_expire_together():
    async def scenario() -> None:
        cache = fresh_cache(ttl=100, jitter=0.5, early=0)
        for key in range(200):
            await cache.put(key, key)
        await asyncio.sleep(75)
        left = sum(cache.peek(key) is not MISSING for key in range(200))
        assert 60 < left < 140

    run(scenario())


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def now(self):
        raise AssertionError("a cache knows no wall clock")

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_threads_get_stale_values_and_stand_ins_like_tasks():
    clock = Hands()
    cache: MemoryCache[int] = MemoryCache(
        CacheConfig(name="t", ttl=10, jitter=0, early=0, stale_while_revalidate=5, stale_if_error=50), clock=clock
    )
    assert cache.get_or_load("k", lambda: 1) == 1
    clock.time = 12
    assert cache.get_or_load("k", lambda: 2) == 2
    clock.time = 30

    def fails() -> int:
        raise ConnectionError("down")

    assert cache.get_or_load("k", fails) == 2
    clock.time = 100
    with pytest.raises(ConnectionError):
        cache.get_or_load("k", fails)


@pytest.mark.parametrize(
    "settings",
    [
        {"ttl": 0},
        {"ttl": -1},
        {"max_items": 0},
        {"jitter": 1.0},
        {"jitter": -0.1},
        {"stale_if_error": -1},
        {"early": -1},
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings):
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        CacheConfig(name="x", **settings)
