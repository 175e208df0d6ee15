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
    QueueClosed,
    Shed,
    Throttled,
)
from orchestrator_resilience.config import BulkheadConfig, QueueConfig, ThrottleConfig
from orchestrator_resilience.deadlines import DeadlineExceeded, deadline
from orchestrator_resilience.events import DECISIONS, Decision

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
            dropped, max_items=2, strategy="adaptive", target_seconds=1.9, interval_seconds=2, max_wait_seconds=0.5
        )
        await line.put("a")
        await asyncio.sleep(1.5)
        await line.put("b")
        with pytest.raises(Shed):
            await line.put("c")
        await asyncio.sleep(0.2)
        before = asyncio.get_running_loop().time()
        await line.put("d")
        await line.put("e")
        return asyncio.get_running_loop().time() - before

    assert virtual_time.run(scenario()) == 0
    assert [(each.item, each.reason) for each in dropped] == [("a", "too old"), ("b", "displaced")]


@pytest.mark.parametrize("strategy", ["block", "reject", "drop-oldest", "drop-newest", "adaptive"])
@given(
    st.lists(st.tuples(st.sampled_from(list(Priority)), st.integers(1, 5), st.booleans()), max_size=30),
    st.integers(5, 12),
)
def test_whatever_the_strategy_the_important_are_lost_last_and_nothing_disappears(strategy, arrivals, room):
    """Of what is in the queue or comes to it, at each moment."""
    dropped: list[Dropped[object]] = []

    async def scenario() -> None:
        line = queue(
            dropped, size=lambda item: item[1], strategy=strategy, max_items=4, max_bytes=room, max_wait_seconds=1
        )
        held: list[tuple[int, int, Priority]] = []
        for number, (priority, size, consume) in enumerate(arrivals):
            item = (number, size, priority)
            lost_before = len(dropped)
            try:
                await line.put(item, priority)
                held.append(item)
            except Shed:
                lost = [item]
            else:
                lost = []
            lost += [each.item for each in dropped[lost_before:]]
            held = [each for each in held if each not in lost]
            for each in lost:
                less = [kept for kept in held if kept[2] < each[2]]
                if each is not item:
                    assert not less
                elif less:
                    # All of it together would not have made the room.
                    free = room - sum(kept[1] for kept in held)
                    assert free + sum(kept[1] for kept in less) < size or len(held) - len(less) >= 4
            assert (line.snapshot().items, line.snapshot().bytes) == (len(held), sum(each[1] for each in held))
            if consume and held:
                got = await line.get()
                assert got[2] == max(each[2] for each in held)
                held.remove(got)

    virtual_time.run(scenario())


def test_an_arrival_that_cannot_fit_displaces_nothing():
    dropped: list[Dropped[object]] = []

    async def scenario() -> int:
        line = queue(dropped, size=len, max_bytes=12, strategy="drop-oldest")
        await line.put("2 ", LOW)
        await line.put("9 bytes..", HIGH)
        await line.put("10 bytes..", MID)
        return line.snapshot().items

    assert virtual_time.run(scenario()) == 2
    assert [each.item for each in dropped] == ["10 bytes.."]


def test_a_large_item_is_not_starved_by_small_ones_and_the_important_go_first():
    async def scenario() -> list[str]:
        line = queue(size=len, max_bytes=8, max_wait_seconds=60)
        for _ in range(8):
            await line.put("s")
        order = []

        async def producer(item: str, priority: Priority) -> None:
            await line.put(item, priority)
            order.append(item)

        async with asyncio.TaskGroup() as group:
            for item, priority in [("large...", MID), ("s", MID), ("s", MID), ("vip", HIGH)]:
                group.create_task(producer(item, priority))
                await asyncio.sleep(0.01)
            for _ in range(12):
                await line.get()
                await asyncio.sleep(0.01)
        return order

    assert virtual_time.run(scenario()) == ["vip", "large...", "s", "s"]


@pytest.mark.parametrize("how", ["waits too long", "is cancelled"])
def test_when_a_large_one_gives_up_the_small_ones_behind_it_come_in(how):
    async def scenario() -> float:
        line = queue(size=len, max_bytes=8, max_wait_seconds=5)
        await line.put("7 bytes")
        large = asyncio.create_task(line.put("8 bytes!"))
        await asyncio.sleep(1)
        small = asyncio.create_task(line.put("1"))
        await asyncio.sleep(1)
        assert not small.done()
        if how == "is cancelled":
            large.cancel()
        await small
        await asyncio.gather(large, return_exceptions=True)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(scenario()) == pytest.approx(5 if how == "waits too long" else 2)


def test_a_critical_item_that_has_waited_its_time_displaces_rather_than_is_lost():
    dropped: list[Dropped[object]] = []

    async def scenario() -> float:
        line = queue(dropped, max_items=2, strategy="block", max_wait_seconds=3)
        await line.put("low", LOW)
        await line.put("mid")
        await line.put("high", HIGH)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(scenario()) == pytest.approx(3)
    assert [(each.item, each.reason) for each in dropped] == [("low", "displaced")]


def test_a_closed_queue_takes_nothing_and_delivers_the_rest():
    dropped: list[Dropped[object]] = []

    async def scenario() -> list[int]:
        line = queue(dropped, max_items=2)
        got: list[int] = []

        async def consume() -> None:
            async for item in line:
                got.append(item)
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            group.create_task(consume())
            for number in range(4):
                await line.put(number)
            blocked = asyncio.create_task(line.put(4))
            await asyncio.sleep(0)
            line.close()
            for refused in (blocked, line.put(5)):
                with pytest.raises(Shed, match="closed"):
                    await refused
        with pytest.raises(QueueClosed):
            await line.get()
        return got

    assert virtual_time.run(scenario()) == [0, 1, 2, 3]
    assert dropped == []


def test_what_is_left_at_an_abrupt_end_is_told():
    dropped: list[Dropped[object]] = []

    async def scenario() -> None:
        line = queue(dropped)
        waiting = asyncio.create_task(queue().get())
        await line.put("a")
        await line.put("b", HIGH)
        line.close(deliver=False)
        waiting.cancel()

    virtual_time.run(scenario())
    assert [(each.item, each.reason) for each in dropped] == [("b", "closed"), ("a", "closed")]


def test_a_consumers_wait_has_an_end():
    async def scenario() -> float:
        with pytest.raises(TimeoutError):
            await queue().get(max_wait_seconds=2)
        with pytest.raises(DeadlineExceeded):
            async with deadline(3):
                await queue().get()
        return asyncio.get_running_loop().time()

    assert virtual_time.run(scenario()) == pytest.approx(5)


@given(st.integers(0, 100_000))
def test_whoever_is_cancelled_every_accepted_item_arrives_once(seed):
    chance = random.Random(seed)

    async def scenario() -> None:
        line = queue(max_items=2, max_wait_seconds=5, strategy=chance.choice(["block", "adaptive"]))
        put: list[int] = []
        got: list[int] = []

        async def produce(number: int) -> None:
            await line.put(number, chance.choice(list(Priority)))
            put.append(number)

        async def consume() -> None:
            while True:
                item = await line.get()
                got.append(item)
                await asyncio.sleep(chance.choice([0, 0.5]))

        consumers = [asyncio.create_task(consume()) for _ in range(2)]
        producers = []
        for number in range(25):
            producers.append(asyncio.create_task(produce(number)))
            if chance.random() < 0.3:
                chance.choice(producers).cancel()
            if chance.random() < 0.2:
                chance.choice(consumers).cancel()
                consumers.append(asyncio.create_task(consume()))
            await asyncio.sleep(chance.choice([0, 0, 0.25]))
        await asyncio.gather(*producers, return_exceptions=True)
        await asyncio.sleep(60)
        assert sorted(got) == sorted(put)
        assert (line.snapshot().items, line.snapshot().blocked, line._kept_items) == (0, 0, 0)
        for each in consumers:
            each.cancel()

    virtual_time.run(scenario())


def test_drops_and_refusals_are_told_to_observers():
    heard: list[Decision] = []

    async def scenario() -> None:
        line = BoundedQueue(
            QueueConfig(max_items=1, strategy="reject"),
            on_drop=lambda dropped: None,
            name="webhooks",
            clock=LoopClock(),
            observers=[heard.append],
        )
        await line.put(1)
        await line.put(2, HIGH)
        with pytest.raises(Shed):
            await line.put(3)
        walls = Bulkhead("tts", BulkheadConfig(limit=1, max_waiting=0), clock=LoopClock(), observers=[heard.append])
        async with walls.slot():
            with pytest.raises(Shed):
                await walls.call(asyncio.sleep, 0)

    virtual_time.run(scenario())
    assert [(each.policy, each.dependency, each.decision) for each in heard] == [
        ("queue", "webhooks", "displaced"),
        ("queue", "webhooks", "no_room"),
        ("bulkhead", "tts", "full"),
    ]
    assert all(each.decision in DECISIONS[each.policy] for each in heard)


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
