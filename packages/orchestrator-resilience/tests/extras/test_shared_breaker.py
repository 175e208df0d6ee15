"""Circuits that processes share in a real Valkey; here each "process" is a breaker with a connection of its own."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from types import MappingProxyType

import pytest

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_resilience.circuit_breaker import CircuitOpen, Transition
from orchestrator_resilience.config import CircuitBreakerConfig
from orchestrator_resilience.shared_breaker import SharedCircuitBreaker, open_breaker_store

pytestmark = pytest.mark.server
RUN = CircuitBreakerConfig(window="consecutive", consecutive_failures=4, recovery_seconds=0.3, probes=3)
RATE = CircuitBreakerConfig(window_calls=20, minimum_calls=10, failure_rate=0.5, recovery_seconds=0.3, probes=1)
TIMED = CircuitBreakerConfig(
    window="time", window_seconds=30, minimum_calls=6, slow_call_seconds=0.01, slow_call_rate=0.5, recovery_seconds=0.3
)


async def fine() -> str:
    await asyncio.sleep(0)
    return "fine"


async def down() -> None:
    raise ConnectionResetError("down")


async def told(call: Awaitable[object]) -> str:
    try:
        await call
    except (CircuitOpen, ConnectionResetError) as error:
        return type(error).__name__
    return "fine"


# These tests are not about time, and the machine may be busy.
PATIENT = MappingProxyType({"time_limit_seconds": 10})
Make = Callable[..., SharedCircuitBreaker]


@pytest.fixture
async def make(valkey_database) -> AsyncIterator[Make]:
    stores = []

    def process(
        config: CircuitBreakerConfig, url: str = valkey_database, store=PATIENT, **more
    ) -> SharedCircuitBreaker:
        stores.append(open_breaker_store(url, sync_seconds=0.05, **store))
        return SharedCircuitBreaker("tts", config, store=stores[-1], **more)

    yield process
    for store in stores:
        await store.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0.005)


async def test_failures_of_all_processes_count_together_and_all_hear_of_it(make):
    heard: list[Transition] = []
    processes = [make(RUN), make(RUN), make(RUN, observers=[heard.append])]
    for each in processes:
        assert await each.call(fine) == "fine"
    await asyncio.sleep(0.2)  # the good calls have been told, too
    for number in range(4):
        assert await told(processes[number % 2].call(down)) == "ConnectionResetError"
        await asyncio.sleep(0.02)  # the order of failures in two processes is the order in which they were told
    await until(lambda: all(each.state == "open" for each in processes))
    assert [await told(each.call(fine)) for each in processes] == ["CircuitOpen"] * 3
    assert [(each.old, each.new) for each in heard] == [("closed", "open")]
    assert 0 < processes[2].snapshot().retry_after <= 0.3


async def test_good_calls_of_others_count_in_the_rate(make):
    one, other = make(RATE), make(RATE)
    for _ in range(20):
        await one.call(fine)
    await other.call(fine)
    await asyncio.sleep(0.2)
    for _ in range(9):
        await told(other.call(down))
    await asyncio.sleep(0.2)
    assert (one.state, other.state) == ("closed", "closed")  # 9 of 20
    await told(other.call(down))
    await until(lambda: one.state == other.state == "open")


async def test_slow_calls_count_together(make):
    one, other = make(TIMED), make(TIMED)
    await one.call(fine)
    await other.call(fine)
    for each in (one, other, one, other):
        await each.call(asyncio.sleep, 0.02)
    await until(lambda: one.state == other.state == "open")


async def open_all(processes: list[SharedCircuitBreaker]) -> None:
    for each in processes:
        await each.call(fine)
    await asyncio.sleep(0.2)
    for _ in range(4):
        await told(processes[0].call(down))
    await until(lambda: all(each.state == "open" for each in processes))


async def test_all_processes_together_send_exactly_as_many_probes_as_allowed(make):
    processes = [make(RUN) for _ in range(4)]
    await open_all(processes)
    await asyncio.sleep(0.35)
    sent, release = 0, asyncio.Event()

    async def probe() -> None:
        nonlocal sent
        sent += 1
        await release.wait()

    calls = [asyncio.create_task(told(each.call(probe))) for each in processes * 25]
    await asyncio.sleep(0.2)
    assert sent == 3
    release.set()
    answers = await asyncio.gather(*calls)
    assert (answers.count("fine"), answers.count("CircuitOpen")) == (3, 97)
    await until(lambda: all(each.state == "closed" for each in processes))
    assert [await told(each.call(fine)) for each in processes] == ["fine"] * 4


async def test_a_failed_probe_opens_for_all_and_a_cancelled_one_gives_its_place_back(make):
    config = CircuitBreakerConfig(window="consecutive", consecutive_failures=4, recovery_seconds=0.3, probes=1)
    processes = [make(config), make(config)]
    await open_all(processes)
    await asyncio.sleep(0.35)
    hanging = asyncio.create_task(processes[0].call(asyncio.sleep, 60))
    await asyncio.sleep(0.05)
    assert await told(processes[1].call(fine)) == "CircuitOpen"
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert await told(processes[1].call(down)) == "ConnectionResetError"
    await until(lambda: all(each.state == "open" for each in processes))
    await asyncio.sleep(0.35)
    assert await told(processes[0].call(fine)) == "fine"
    await until(lambda: all(each.state == "closed" for each in processes))


async def test_guards_and_ordinary_functions_find_a_permit_too(make):
    config = CircuitBreakerConfig(window="consecutive", consecutive_failures=4, recovery_seconds=0.2, probes=2)
    case = make(config)
    await open_all([case])
    await asyncio.sleep(0.25)
    async with case.guard():
        pass
    with pytest.raises(CircuitOpen):
        case.call_sync(int)
    await asyncio.sleep(0.2)
    assert case.call_sync(int) == 0
    await until(lambda: case.state == "closed")


async def test_a_permit_that_nobody_uses_goes_back(make):
    config = CircuitBreakerConfig(window="consecutive", consecutive_failures=4, recovery_seconds=0.2, probes=1)
    one, other = make(config), make(config)
    await open_all([one, other])
    await asyncio.sleep(0.25)
    asking = asyncio.create_task(one.call(fine))
    await asyncio.sleep(0)
    asking.cancel()  # while the store is asked
    await asyncio.gather(asking, return_exceptions=True)
    with pytest.raises(CircuitOpen):
        one.call_sync(int)  # fetches a permit for the next one, who never comes
    await asyncio.sleep(0.2)
    assert await told(other.call(fine)) == "CircuitOpen"
    await asyncio.sleep(1.2)
    assert await told(other.call(fine)) == "fine"


async def test_forced_states_and_resets_hold_everywhere(make):
    one, other = make(RUN), make(RUN)
    await one.call(fine)
    await other.call(fine)
    one.force_open()
    await until(lambda: other.state == "forced_open")
    assert await told(other.call(fine)) == "CircuitOpen"
    other.disable()
    await until(lambda: one.state == "disabled")
    for _ in range(9):
        assert await told(one.call(down)) == "ConnectionResetError"
    one.reset()
    await until(lambda: (one.state, other.state) == ("closed", "closed"))


async def test_a_store_that_is_not_there_is_no_error_and_one_log_line(make, caplog):
    with caplog.at_level(logging.WARNING):
        case = make(RUN, url="redis://127.0.0.1:1/0", store={})
        for _ in range(4):
            assert await told(case.call(down)) == "ConnectionResetError"
        assert await told(case.call(fine)) == "CircuitOpen"
        await asyncio.sleep(0.35)
        assert [await told(case.call(fine)) for _ in range(3)] == ["fine"] * 3
        assert case.state == "closed"
    assert sum("store of circuits is lost" in each.message for each in caplog.records) == 1


async def test_what_a_process_found_out_alone_is_told_when_the_store_is_back(make, valkey_server):
    one, other = make(RATE, store={}), make(RATE, store={})
    await one.call(fine)
    await other.call(fine)
    valkey_server.command("CLIENT", "PAUSE", "600", "ALL")
    await told(one.call(down))  # the answer that does not come is the loss
    await until(lambda: not one._store.up)
    for _ in range(12):
        await told(one.call(down))
    assert (one.state, other.state) == ("open", "closed")
    await until(lambda: other.state == "open")


def test_a_bad_store_is_refused():
    for url, options in [("amqp://x", {}), ("redis://x", {"often": 1}), ("redis://x", {"sync_seconds": 0})]:
        with pytest.raises(ConfigurationError):
            open_breaker_store(url, **options)


async def test_random_calls_of_several_processes_never_send_a_probe_too_many(make):
    chance = random.Random(7)
    config = CircuitBreakerConfig(
        window="consecutive", consecutive_failures=3, recovery_seconds=0.05, probes=2, probe_lease_seconds=30
    )
    heard: list[Transition] = []
    processes = [make(config, observers=[heard.append] if number == 0 else ()) for number in range(4)]
    for each in processes:
        await each.call(fine)
    running = most = good = 0
    healthy = True

    async def work(process: SharedCircuitBreaker) -> None:
        nonlocal running, most
        probing = process.state == "half_open"
        running += probing
        most = max(most, running)
        try:
            await asyncio.sleep(chance.uniform(0, 0.02))
            if not healthy:
                raise ConnectionResetError("down")
        finally:
            running -= probing

    async def caller(process: SharedCircuitBreaker) -> None:
        nonlocal good
        for _ in range(60):
            task = asyncio.create_task(told(process.call(work, process)))
            if chance.random() < 0.1:
                await asyncio.sleep(0.005)
                task.cancel()
            good += (await asyncio.gather(task, return_exceptions=True)) == ["fine"]
            await asyncio.sleep(chance.uniform(0, 0.02))

    async def weather() -> None:
        nonlocal healthy
        while True:
            await asyncio.sleep(chance.uniform(0.1, 0.3))
            healthy = not healthy

    clouds = asyncio.create_task(weather())
    await asyncio.gather(*[caller(each) for each in processes * 3])
    clouds.cancel()
    healthy = True
    assert good > 0
    # Twelve callers, two permits; a probe takes less time than a circuit stays open.
    assert 1 <= most <= 2
    await asyncio.sleep(0.2)
    for _ in range(20):
        for each in processes:
            await told(each.call(fine))
        await asyncio.sleep(0.02)
    assert [each.state for each in processes] == ["closed"] * 4
    assert {each.new for each in heard} >= {"open", "closed"}
