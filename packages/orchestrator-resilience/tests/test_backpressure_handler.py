"""What producers, consumers and callers notice when there is too much work. Time is virtual."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel import virtual_time
from orchestrator_kernel.exceptions import ConfigurationError, RateLimitError
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience.backpressure_handler import (
    BoundedQueue,
    Bulkhead,
    ClientThrottle,
    Dropped,
    Priority,
    Shed,
    Throttled,
)
from orchestrator_resilience.config import BulkheadConfig, QueueConfig, ThrottleConfig
from orchestrator_resilience.deadlines import DeadlineExceeded, deadline

LOW, MID, HIGH = Priority.SHEDDABLE, Priority.DEFAULT, Priority.CRITICAL


def bulkhead(**settings) -> Bulkhead:
    return Bulkhead("tts", BulkheadConfig(**settings), clock=LoopClock())


def test_no_more_calls_run_together_than_the_limit_and_all_are_served():
    async def scenario() -> tuple[int, int]:
        walls, running, most = bulkhead(limit=5, max_wait_seconds=100), 0, 0

        async def work() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(1)
            running -= 1

        await asyncio.gather(*[walls.call(work) for _ in range(100)])
        return most, walls.snapshot().running

    assert virtual_time.run(scenario()) == (5, 0)


def test_a_full_line_sheds_the_arrival_and_nobody_waits_for_ever():
    async def scenario() -> Counter[str]:
        walls, told = bulkhead(limit=1, max_waiting=2, max_wait_seconds=3), Counter()

        async def caller() -> None:
            try:
                await walls.call(asyncio.sleep, 10)
            except Shed as shed:
                told[str(shed.details["reason"])] += 1

        await asyncio.gather(*[caller() for _ in range(6)])
        assert walls.snapshot().shed == 5
        return told

    assert virtual_time.run(scenario()) == {"full": 3, "waited too long": 2}


def test_the_deadline_ends_the_wait():
    async def scenario() -> float:
        walls = bulkhead(limit=1, max_wait_seconds=60)
        holder = asyncio.create_task(walls.call(asyncio.sleep, 30))
        await asyncio.sleep(0)
        with pytest.raises((Shed, DeadlineExceeded)):
            async with deadline(2.5):
                await walls.call(asyncio.sleep, 0)
        assert walls.snapshot().waiting == 0
        waited = asyncio.get_running_loop().time()
        await holder
        return waited

    assert virtual_time.run(scenario()) == pytest.approx(2.5)


def test_the_important_displace_the_others_and_are_served_first():
    async def scenario() -> list[str]:
        walls, order = bulkhead(limit=1, max_waiting=2, max_wait_seconds=60, overload_seconds=60), []

        async def caller(name: str, priority: Priority) -> None:
            try:
                async with walls.slot(priority):
                    order.append(name)
                    await asyncio.sleep(1)
            except Shed as shed:
                order.append(f"{name} {shed.details['reason']}")

        async with asyncio.TaskGroup() as group:
            for name, priority in [("first", MID), ("low", LOW), ("mid", MID), ("high", HIGH), ("late", LOW)]:
                group.create_task(caller(name, priority))
                await asyncio.sleep(0.01)
        return order

    assert virtual_time.run(scenario()) == ["first", "low displaced", "late full", "high", "mid"]


@given(st.integers(0, 100_000))
def test_whatever_is_cancelled_no_place_is_lost(seed):
    chance = random.Random(seed)

    async def scenario() -> None:
        walls = bulkhead(limit=3, max_waiting=5, max_wait_seconds=2)

        async def caller() -> None:
            async with walls.slot(chance.choice(list(Priority))):
                await asyncio.sleep(chance.choice([0, 0.5, 1]))
                if chance.random() < 0.2:
                    raise OSError("down")

        tasks = []
        for _ in range(30):
            tasks.append(asyncio.create_task(caller()))
            if chance.random() < 0.4:
                chance.choice(tasks).cancel()
            if chance.random() < 0.5:
                await asyncio.sleep(chance.choice([0, 0.25, 0.5]))
            assert walls.snapshot().running <= 3
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (walls.snapshot().running, walls.snapshot().waiting) == (0, 0)
        await asyncio.gather(*[walls.call(asyncio.sleep, 1) for _ in range(3)])

    virtual_time.run(scenario())


def test_under_overload_the_newest_is_served_first():
    async def scenario() -> list[int]:
        walls, order = bulkhead(limit=1, max_wait_seconds=60, overload_seconds=2), []

        async def caller(number: int) -> None:
            async with walls.slot():
                order.append(number)
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(caller(number))
                await asyncio.sleep(0)
        return order

    assert virtual_time.run(scenario()) == [0, 1, 2, 5, 4, 3]


class Server:
    """So many workers with one line before them; times vary."""

    def __init__(self, workers: int, seed: int) -> None:
        self.workers = workers
        self.busy = 0
        self.line: list[asyncio.Future[None]] = []
        self.chance = random.Random(seed)

    def service_time(self) -> float:
        return 0.1 * self.chance.lognormvariate(-0.02, 0.2)

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
            await asyncio.sleep(self.service_time())
        finally:
            self.busy -= 1
            self.next()


async def capacity_steps(kind: str, seed: int, seconds: float) -> tuple[float, float]:
    """Goodput and p99 of the time at the server, over phases of 40, 10 and 40 workers, with more callers than it can serve."""
    server, chance, times = Server(40, seed), random.Random(seed), []
    oracle = kind == "oracle"
    walls = bulkhead(kind="fixed" if oracle else kind, limit=40, max_limit=200, max_waiting=50, max_wait_seconds=0.5)

    async def caller() -> None:
        try:
            async with walls.slot():
                began = asyncio.get_running_loop().time()
                await server()
                times.append(asyncio.get_running_loop().time() - began)
        except Shed:
            pass

    async with asyncio.TaskGroup() as group:
        for workers in (40, 10, 40):
            server.resize(workers)
            if oracle:
                walls._limit.limit = workers
            ends = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < ends:
                group.create_task(caller())
                await asyncio.sleep(chance.expovariate(1.3 * workers / 0.1))
    times.sort()
    return len(times) / asyncio.get_running_loop().time(), times[int(0.99 * len(times))]


@pytest.mark.parametrize("kind", ["gradient", "vegas"])
def test_an_adaptive_limit_follows_capacity_as_an_oracle_would(kind):
    chance = Server(1, 7)
    unloaded = sorted(chance.service_time() for _ in range(10_000))[9_900]
    best, _ = virtual_time.run(capacity_steps("oracle", 1, 20))
    goodput, p99 = virtual_time.run(capacity_steps(kind, 1, 20))
    assert goodput >= 0.95 * best, (goodput, best)
    assert p99 <= 2 * unloaded, (p99, unloaded)


def test_at_ten_times_the_capacity_the_important_lose_nothing():
    async def scenario() -> tuple[Counter[Priority], Counter[Priority], float]:
        server, chance = Server(20, 3), random.Random(3)
        walls = bulkhead(kind="gradient", limit=20, max_waiting=40, max_wait_seconds=2)
        asked, done = Counter(), Counter()

        async def caller(priority: Priority) -> None:
            asked[priority] += 1
            try:
                async with walls.slot(priority):
                    await server()
                    done[priority] += 1
            except Shed:
                pass

        async with asyncio.TaskGroup() as group:
            while asyncio.get_running_loop().time() < 20:
                group.create_task(caller(chance.choices([HIGH, MID, LOW], [5, 40, 55])[0]))
                await asyncio.sleep(chance.expovariate(2000))
        return asked, done, done.total() / 20

    asked, done, goodput = virtual_time.run(scenario())
    assert done[HIGH] == asked[HIGH] > 500
    assert done[MID] / asked[MID] > done[LOW] / asked[LOW]
    assert goodput >= 0.9 * 200


def queue(dropped: list[Dropped[object]] | None = None, size=None, **settings) -> BoundedQueue:
    told = [] if dropped is None else dropped
    return BoundedQueue(QueueConfig(**settings), on_drop=told.append, size=size, clock=LoopClock())


def test_a_sequence_of_jobs_larger_than_the_queue_all_come_out():
    async def scenario() -> list[int]:
        line = queue(max_items=5)

        async def consume() -> list[int]:
            return [await line.get() for _ in range(12)]

        consumer = asyncio.create_task(consume())
        for number in range(12):
            await line.put(number)
        return await consumer

    assert virtual_time.run(scenario()) == list(range(12))


def test_reject_refuses_and_block_waits_its_time():
    async def scenario() -> float:
        line = queue(max_items=1, strategy="reject")
        await line.put(1)
        with pytest.raises(Shed, match="no room"):
            await line.put(2)
        line = queue(max_items=1, strategy="block", max_wait_seconds=3)
        await line.put(1)
        with pytest.raises(RateLimitError, match="in time"):
            await line.put(2)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(scenario()) == pytest.approx(3)


@pytest.mark.parametrize(
    ("strategy", "kept", "lost"),
    [("drop-oldest", ["c", "d"], ["a", "b"]), ("drop-newest", ["a", "b"], ["c", "d"])],
)
def test_what_is_dropped_is_told(strategy, kept, lost):
    dropped: list[Dropped[object]] = []

    async def scenario() -> list[str]:
        line = queue(dropped, max_items=2, strategy=strategy)
        for item in "abcd":
            await line.put(item)
        return [await line.get(), await line.get()]

    assert virtual_time.run(scenario()) == kept
    assert [each.item for each in dropped] == lost


@pytest.mark.parametrize("strategy", ["drop-oldest", "drop-newest"])
@given(st.lists(st.sampled_from(list(Priority)), max_size=40), st.integers(1, 6))
def test_nothing_is_lost_while_something_less_important_is_kept(strategy, arrivals, room):
    dropped: list[Dropped[object]] = []

    async def scenario() -> list[Priority]:
        line = queue(dropped, max_items=room, strategy=strategy)
        for number, priority in enumerate(arrivals):
            await line.put((number, priority), priority)
            assert line.snapshot().items <= room
        return [(await line.get())[1] for _ in range(line.snapshot().items)]

    kept = virtual_time.run(scenario())
    assert kept == sorted(kept, reverse=True)
    assert sorted(kept + [each.priority for each in dropped]) == sorted(arrivals)
    if dropped:
        assert max(each.priority for each in dropped) <= min(kept)


def test_bytes_are_bounded_too():
    async def scenario() -> list[bytes]:
        dropped: list[Dropped[object]] = []
        line = queue(dropped, size=len, max_bytes=10, strategy="drop-oldest")
        with pytest.raises(Shed, match="larger"):
            await line.put(b"x" * 11)
        for item in (b"1234", b"5678", b"90123456"):
            await line.put(item)
        assert line.snapshot().bytes == 8
        return [each.item for each in dropped]

    assert virtual_time.run(scenario()) == [b"1234", b"5678"]


def test_a_standing_queue_drops_what_is_too_old_and_serves_the_newest():
    dropped: list[Dropped[object]] = []

    async def scenario() -> list[int]:
        line = queue(dropped, max_items=100, target_seconds=0.5, interval_seconds=2)
        served = []
        for number in range(60):
            await line.put(number)
            await asyncio.sleep(0.1)
            if number % 3 == 2:
                served.append(await line.get())
        assert line.snapshot().overloaded
        return served

    served = virtual_time.run(scenario())
    assert served[:5] == [0, 1, 2, 3, 4]
    assert served[-5:] == [47, 50, 53, 56, 59]
    assert {each.reason for each in dropped} == {"too old"}


def test_adaptive_blocks_until_it_is_overloaded_and_then_drops_the_oldest():
    dropped: list[Dropped[object]] = []

    async def scenario() -> float:
        line = queue(
            dropped, max_items=2, strategy="adaptive", target_seconds=1, interval_seconds=2, max_wait_seconds=1
        )
        await line.put("a")
        await line.put("b")
        with pytest.raises(Shed):
            await line.put("c")
        await asyncio.sleep(1.5)
        before = asyncio.get_running_loop().time()
        await line.put("d")
        return asyncio.get_running_loop().time() - before

    assert virtual_time.run(scenario()) == 0
    assert [(each.item, each.reason) for each in dropped] == [("a", "displaced")]


def test_an_owner_who_fails_to_hear_it_breaks_nothing(caplog):
    def deaf(dropped: Dropped[int]) -> None:
        raise RuntimeError("a bug")

    async def scenario() -> int:
        line = BoundedQueue(QueueConfig(max_items=1, strategy="drop-oldest"), on_drop=deaf, clock=LoopClock())
        await line.put(1)
        await line.put(2)
        return await line.get()

    assert virtual_time.run(scenario()) == 2
    assert "could not be told" in caplog.text


def test_cancelled_consumers_and_producers_lose_nothing():
    async def scenario() -> list[int]:
        line = queue(max_items=2)
        waiting = asyncio.create_task(line.get())
        await asyncio.sleep(0)
        await line.put(1)
        waiting.cancel()
        got = await asyncio.gather(waiting, return_exceptions=True)
        await line.put(2)
        blocked = asyncio.create_task(line.put(3))
        await asyncio.sleep(0)
        blocked.cancel()
        await asyncio.gather(blocked, return_exceptions=True)
        assert isinstance(got[0], asyncio.CancelledError)
        return [await line.get() for _ in range(line.snapshot().items)]

    assert virtual_time.run(scenario()) == [1, 2]


def test_the_throttle_lets_a_healthy_dependency_be_and_spares_a_sick_one():
    async def scenario() -> tuple[int, int, float]:
        config = ThrottleConfig(window_seconds=10)
        throttle = ClientThrottle("connector", config, clock=LoopClock(), chance=random.Random(1))
        sent = 0

        async def healthy() -> None:
            nonlocal sent
            sent += 1

        async def sick() -> None:
            nonlocal sent
            sent += 1
            raise RateLimitError("busy")

        async def calls(dependency, count: int) -> int:
            nonlocal sent
            sent = 0
            for _ in range(count):
                await asyncio.gather(throttle.call(dependency), return_exceptions=True)
                await asyncio.sleep(0.1)
            return sent

        well = await calls(healthy, 1000)
        await calls(sick, 2000)
        ill = await calls(sick, 1000)
        refused = await asyncio.gather(*[throttle.call(healthy) for _ in range(100)], return_exceptions=True)
        assert sum(isinstance(each, Throttled) for each in refused) > 90
        await calls(healthy, 4000)
        return well, ill, throttle.refusal_probability

    well, ill, later = virtual_time.run(scenario())
    assert well == 1000
    assert ill < 50
    assert later == 0


def test_errors_that_are_no_refusals_do_not_throttle():
    async def scenario() -> float:
        throttle = ClientThrottle("connector", clock=LoopClock())

        async def wrong() -> None:
            raise ValueError("the caller's mistake")

        for _ in range(100):
            with pytest.raises(ValueError, match="mistake"):
                await throttle.call(wrong)
        return throttle.refusal_probability

    assert virtual_time.run(scenario()) == 0


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (BulkheadConfig, {"kind": "magic"}),
        (BulkheadConfig, {"limit": 5, "max_limit": 4}),
        (BulkheadConfig, {"max_wait_seconds": 0}),
        (QueueConfig, {"strategy": "drop"}),
        (QueueConfig, {"max_items": 0}),
        (QueueConfig, {"target_seconds": 9, "interval_seconds": 8}),
        (ThrottleConfig, {"ratio": 0.5}),
    ],
)
def test_bad_settings_are_refused(model, settings):
    with pytest.raises(ConfigurationError) as refusal:
        model(**settings)
    assert refusal.value.details["setting"] in settings


def test_a_byte_limit_needs_a_size():
    with pytest.raises(ConfigurationError, match="size"):
        queue(max_bytes=5)
