"""However many ask at once, one load; and only the cancelled caller is cancelled."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.virtual_time import LoopClock, run
from orchestrator_performance.caching import (
    MISSING,
    Cache,
    CacheConfig,
    LoadAbandoned,
    Loaded,
    LoadTooSlow,
    MemoryCache,
)


class Loads:
    """A loader that counts."""

    def __init__(self, seconds: float = 0.01, error: Exception | None = None) -> None:
        self.count = 0
        self.seconds = seconds
        self.error = error

    async def __call__(self) -> int:
        self.count += 1
        mine = self.count
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return mine


def fresh_cache(**settings) -> Cache[int]:
    return Cache(CacheConfig(name="test", **settings), clock=LoopClock())


@pytest.mark.parametrize("callers", [100, 10_000])
@pytest.mark.parametrize("mode", ["hit", "miss", "error", "leader cancelled", "slow loader"])
def test_one_load_for_all_callers(callers: int, mode: str):
    async def scenario() -> None:
        loads = Loads(
            seconds=25.0 if mode == "slow loader" else 0.01, error=ValueError("broken") if mode == "error" else None
        )
        cache = fresh_cache()
        if mode == "hit":
            await cache.put("k", 7)
        tasks = [asyncio.ensure_future(cache.get_or_load("k", loads)) for _ in range(callers)]
        await asyncio.sleep(0)
        if mode == "leader cancelled":
            tasks[0].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        cancelled = [each for each in results if isinstance(each, asyncio.CancelledError)]
        assert len(cancelled) == (1 if mode == "leader cancelled" else 0)
        assert loads.count == (0 if mode == "hit" else 1)
        if mode == "error":
            assert all(isinstance(each, ValueError) for each in results)
            assert cache.peek("k") is MISSING
        else:
            values = {each for each in results if not isinstance(each, BaseException)}
            assert values == {7 if mode == "hit" else 1}
            assert cache.peek("k") == (7 if mode == "hit" else 1)
        await cache.close()

    run(scenario())


def test_a_load_that_nobody_waits_for_any_more_is_finished_and_kept():
    async def scenario() -> None:
        cache, loads = fresh_cache(), Loads(seconds=1)
        tasks = [asyncio.ensure_future(cache.get_or_load("k", loads)) for _ in range(3)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(2)
        assert cache.peek("k") == 1

    run(scenario())


def test_a_load_that_takes_too_long_fails_for_all_and_the_next_caller_loads():
    async def scenario() -> None:
        cache, loads = fresh_cache(load_seconds=1), Loads(seconds=5)
        results = await asyncio.gather(*[cache.get_or_load("k", loads) for _ in range(10)], return_exceptions=True)
        assert all(isinstance(each, LoadTooSlow) for each in results)
        loads.seconds = 0.1
        assert await cache.get_or_load("k", loads) == 2

    run(scenario())


def test_a_loader_that_is_cancelled_from_inside_does_not_cancel_its_callers():
    async def scenario() -> None:
        async def cancelled() -> int:
            raise asyncio.CancelledError

        cache = fresh_cache()
        results = await asyncio.gather(*[cache.get_or_load("k", cancelled) for _ in range(5)], return_exceptions=True)
        assert all(isinstance(each, LoadAbandoned) for each in results)

    run(scenario())


def test_closing_ends_loads_and_tells_who_waits():
    async def scenario() -> None:
        cache = fresh_cache()
        task = asyncio.ensure_future(cache.get_or_load("k", Loads(seconds=20)))
        await asyncio.sleep(1)
        await cache.close()
        with pytest.raises(LoadAbandoned):
            await task

    run(scenario())


def test_what_is_removed_while_it_is_loaded_is_given_to_who_waits_and_not_kept():
    async def scenario() -> None:
        cache, loads = fresh_cache(), Loads(seconds=1)
        first = asyncio.ensure_future(cache.get_or_load("k", loads))
        await asyncio.sleep(0.5)
        await cache.remove("k")
        second = asyncio.ensure_future(cache.get_or_load("k", loads))
        assert await first == 1
        assert cache.peek("k") is MISSING
        assert await second == 2
        assert cache.peek("k") == 2

    run(scenario())


@pytest.mark.parametrize("how", ["tag", "all", "loaded tag"])
def test_what_is_invalidated_while_it_is_loaded_is_not_kept(how: str):
    async def scenario() -> None:
        async def load() -> Loaded[int]:
            await asyncio.sleep(1)
            return Loaded(1, tags=("late",))

        cache = fresh_cache()
        waits = asyncio.ensure_future(cache.get_or_load("k", load, tags=("early",)))
        await asyncio.sleep(0.5)
        if how == "all":
            await cache.clear()
        else:
            await cache.invalidate("early" if how == "tag" else "late")
        assert await waits == 1
        assert cache.peek("k") is MISSING

    run(scenario())


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 2), st.booleans(), st.floats(0.01, 2)), min_size=1, max_size=30)
)
def test_any_mix_of_callers_cancellations_and_errors(callers: list[tuple[float, int, bool, float]]):
    """Only who is cancelled is cancelled, at no time are there two loads of one key, and nothing is left behind."""

    async def scenario() -> None:
        running: dict[int, int] = {}
        cache: Cache[int] = fresh_cache(ttl=1, jitter=0, early=0)

        async def call(start: float, key: int, cancelled: bool, patience: float) -> None:
            async def load() -> int:
                running[key] = running.get(key, 0) + 1
                assert running[key] == 1
                try:
                    await asyncio.sleep(0.5)
                    if key == 2:
                        raise ValueError("broken")
                finally:
                    running[key] -= 1
                return key

            await asyncio.sleep(start)
            try:
                async with asyncio.timeout(patience if cancelled else None):
                    assert await cache.get_or_load(key, load) == key
            except TimeoutError:
                assert cancelled
            except ValueError:
                assert key == 2

        async with asyncio.TaskGroup() as group:
            for each in callers:
                group.create_task(call(*each))
        await cache.close()
        assert all(count == 0 for count in running.values())

    run(scenario())


def test_threads_share_one_load():
    cache: MemoryCache[int] = MemoryCache(CacheConfig(name="threads"))
    count = 0

    def load() -> int:
        nonlocal count
        count += 1
        time.sleep(0.1)
        return count

    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(cache.get_or_load("k", load))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1] * 50


def test_threads_that_wait_get_the_error_and_a_thread_that_is_ended_passes_the_load_on():
    cache: MemoryCache[int] = MemoryCache(CacheConfig(name="threads"))
    ended = threading.Event()

    def broken() -> int:
        time.sleep(0.05)
        if ended.is_set():
            return 5
        ended.set()
        raise SystemExit

    results: list[object] = []

    def ask() -> None:
        try:
            results.append(cache.get_or_load("k", broken))
        except SystemExit:
            results.append("ended")

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == ["5"] * 9 + ["ended"]
