"""What a bulkhead is worth when there is too much to do: a simulated dependency with workers and a line, on virtual time.

The dependency's times are given by a distribution: of calls that are much alike, and of calls that differ tenfold without any load, as those
to a speech service or a database do. The oracle is a fixed limit that is told the capacity.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections import Counter
from collections.abc import Callable

import pytest

from orchestrator_kernel import virtual_time
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience.backpressure_handler import Bulkhead, Priority, Shed
from orchestrator_resilience.config import BulkheadConfig

LOW, MID, HIGH = Priority.SHEDDABLE, Priority.DEFAULT, Priority.CRITICAL

# All with an average of 0.1 seconds.
TIMES: dict[str, Callable[[random.Random], float]] = {
    "alike": lambda chance: 0.1 * chance.lognormvariate(-0.02, 0.2),
    "varied": lambda chance: 0.1 * chance.lognormvariate(-0.18, 0.6),
    "exponential": lambda chance: chance.expovariate(10),
    "wild": lambda chance: 0.1 * chance.lognormvariate(-0.5, 1.0),
}


class Dependency:
    """So many workers with one line before them."""

    def __init__(self, workers: int, times: str, seed: int) -> None:
        self.workers = workers
        self.factor = 1.0
        self.times = TIMES[times]
        self.busy = 0
        self.line: list[asyncio.Future[None]] = []
        self.chance = random.Random(seed)

    def resize(self, workers: int) -> None:
        self.workers = workers
        self.next()

    def next(self) -> None:
        while self.line and self.busy < self.workers:
            waiter = self.line.pop(0)
            if not waiter.done():
                self.busy += 1
                waiter.set_result(None)

    async def __call__(self) -> None:
        if self.busy < self.workers:
            self.busy += 1
        else:
            waiter = asyncio.get_running_loop().create_future()
            self.line.append(waiter)
            await waiter
        try:
            await asyncio.sleep(self.factor * self.times(self.chance))
        finally:
            self.busy -= 1
            self.next()


class Callers:
    """More of them than the dependency can serve; they count what they get."""

    def __init__(self, walls: Bulkhead, dependency: Dependency, seed: int) -> None:
        self.walls = walls
        self.dependency = dependency
        self.chance = random.Random(seed)
        self.times: list[float] = []

    async def call(self) -> None:
        try:
            async with self.walls.slot():
                began = asyncio.get_running_loop().time()
                await self.dependency()
                self.times.append(asyncio.get_running_loop().time() - began)
        except (Shed, TimeoutError):
            pass

    async def come(self, per_second: float, seconds: float) -> None:
        ends = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            while asyncio.get_running_loop().time() < ends:
                group.create_task(self.call())
                await asyncio.sleep(self.chance.expovariate(per_second))


def unloaded_p99(times: str) -> float:
    chance = random.Random(1)
    return sorted(TIMES[times](chance) for _ in range(20_000))[19_800]


@functools.cache
def capacity_steps(kind: str, times: str, seed: int) -> tuple[float, float]:
    """Goodput, and the p99 of the time at the dependency, over phases of 40, 10 and 40 workers."""

    async def scenario() -> tuple[float, float]:
        dependency, oracle = Dependency(40, times, seed), kind == "oracle"
        config = BulkheadConfig(kind="fixed" if oracle else kind, limit=40, max_waiting=50, max_wait_seconds=0.5)
        walls = Bulkhead("tts", config, clock=LoopClock())
        callers = Callers(walls, dependency, seed)
        for workers in (40, 10, 40):
            dependency.resize(workers)
            if oracle:
                walls._limit.limit = workers
            await callers.come(1.3 * workers / 0.1, 20)
        took = sorted(callers.times)
        return len(took) / asyncio.get_running_loop().time(), took[int(0.99 * len(took))]

    return virtual_time.run(scenario())


def check_capacity_steps(kind: str, times: str, seed: int) -> None:
    best, _ = capacity_steps("oracle", times, seed)
    goodput, p99 = capacity_steps(kind, times, seed)
    # Calls that differ a hundredfold tell too little to be as good.
    assert goodput >= (0.9 if times == "wild" else 0.95) * best, (goodput, best)
    assert p99 <= 2 * unloaded_p99(times), (p99, unloaded_p99(times))


@pytest.mark.parametrize("times", ["alike", "exponential"])
@pytest.mark.parametrize("kind", ["gradient", "vegas"])
def test_an_adaptive_limit_follows_capacity_as_an_oracle_would(kind, times):
    check_capacity_steps(kind, times, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("times", list(TIMES))
@pytest.mark.parametrize("kind", ["gradient", "vegas"])
def test_an_adaptive_limit_follows_capacity_for_many_kinds_of_work(kind, times, seed):
    check_capacity_steps(kind, times, seed)


@pytest.mark.parametrize("kind", ["gradient", "vegas"])
def test_errors_that_have_nothing_to_do_with_load_leave_the_limit_alone(kind):
    class Unreliable(Dependency):
        async def __call__(self) -> None:
            if self.chance.random() < 0.03:
                await asyncio.sleep(0.3)
                raise TimeoutError
            await super().__call__()

    async def scenario() -> float:
        config = BulkheadConfig(kind=kind, limit=40, max_waiting=50, max_wait_seconds=0.5)
        callers = Callers(Bulkhead("tts", config, clock=LoopClock()), Unreliable(40, "alike", 1), 1)
        await callers.come(520, 15)
        return len(callers.times) / 15

    assert virtual_time.run(scenario()) >= 0.9 * 400


@pytest.mark.parametrize("kind", ["gradient", "vegas"])
def test_a_dependency_that_refuses_what_is_too_much_is_asked_for_no_more_than_it_takes(kind):
    class Refusing(Dependency):
        async def __call__(self) -> None:
            if self.busy >= self.workers:
                raise TimeoutError
            await super().__call__()

    async def scenario() -> tuple[float, int]:
        config = BulkheadConfig(kind=kind, limit=200, max_waiting=50, max_wait_seconds=0.5)
        walls = Bulkhead("tts", config, clock=LoopClock())
        callers = Callers(walls, Refusing(40, "alike", 1), 1)
        await callers.come(2000, 15)
        return len(callers.times) / 15, walls.snapshot().limit

    goodput, limit = virtual_time.run(scenario())
    assert goodput >= 0.9 * 400
    assert limit <= 60


@pytest.mark.parametrize("kind", ["gradient", "vegas"])
def test_a_dependency_that_has_become_slower_for_good_is_not_strangled(kind):
    async def scenario() -> float:
        config = BulkheadConfig(kind=kind, limit=40, max_waiting=50, max_wait_seconds=0.5)
        dependency = Dependency(40, "alike", 1)
        callers = Callers(Bulkhead("tts", config, clock=LoopClock()), dependency, 1)
        await callers.come(520, 10)
        dependency.factor = 3.0
        await callers.come(520 / 3, 20)
        callers.times.clear()
        await callers.come(520 / 3, 20)
        return len(callers.times) / 20

    assert virtual_time.run(scenario()) >= 0.95 * 400 / 3


def ten_times_the_capacity(times: str, seed: int) -> tuple[Counter[Priority], Counter[Priority], float]:
    """Asked, done, and goodput as a share of the capacity: 20 workers, 2000 calls a second, of which a twentieth are critical."""

    async def scenario() -> tuple[Counter[Priority], Counter[Priority], float]:
        dependency, chance = Dependency(20, times, seed), random.Random(seed)
        config = BulkheadConfig(kind="gradient", limit=20, max_waiting=40, max_wait_seconds=2)
        walls = Bulkhead("tts", config, clock=LoopClock())
        asked, done = Counter(), Counter()

        async def caller(priority: Priority) -> None:
            asked[priority] += 1
            try:
                async with walls.slot(priority):
                    await dependency()
                    done[priority] += 1
            except Shed:
                pass

        async with asyncio.TaskGroup() as group:
            while asyncio.get_running_loop().time() < 20:
                group.create_task(caller(chance.choices([HIGH, MID, LOW], [5, 40, 55])[0]))
                await asyncio.sleep(chance.expovariate(2000))
        return asked, done, done.total() / 20 / 200

    return virtual_time.run(scenario())


def check_overload(times: str, seed: int) -> None:
    asked, done, goodput = ten_times_the_capacity(times, seed)
    assert done[HIGH] == asked[HIGH] > 500
    assert done[MID] / asked[MID] > done[LOW] / asked[LOW]
    assert goodput >= 0.9


def test_at_ten_times_the_capacity_the_important_lose_nothing():
    check_overload("alike", 3)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4, 10))
@pytest.mark.parametrize("times", ["alike", "varied", "exponential"])
def test_at_ten_times_the_capacity_for_many_kinds_of_work(times, seed):
    check_overload(times, seed)
