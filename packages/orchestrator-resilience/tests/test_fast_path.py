"""The short way of a call through a pipeline and the layers themselves cannot be told apart, except by what they cost. Time is virtual."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_kernel import virtual_time
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience import retry_utils
from orchestrator_resilience.config import BulkheadConfig, CircuitBreakerConfig, RetryConfig
from orchestrator_resilience.deadlines import DeadlineExceeded, deadline, remaining
from orchestrator_resilience.manager import OverRate, Pipeline
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.retry_utils import RetryBudget

BREAKERS = [
    None,
    CircuitBreakerConfig(window="consecutive", consecutive_failures=3, recovery_seconds=4, probes=1),
    CircuitBreakerConfig(
        window="time", window_seconds=9, minimum_calls=4, slow_call_seconds=2, recovery_seconds=4, probe_lease_seconds=9
    ),
]
configs = st.builds(
    PipelineConfig,
    deadline_seconds=st.sampled_from([None, 3.111, 8.177]),
    rate_limit=st.sampled_from([None, "6 per 10 second", "4 per 8 second; 20/minute"]),
    bulkhead=st.sampled_from(
        [
            None,
            BulkheadConfig(limit=2, max_waiting=2, max_wait_seconds=0.937),
            BulkheadConfig(kind="vegas", limit=2, max_waiting=2, max_wait_seconds=0.937),
        ]
    ),
    breaker=st.sampled_from(BREAKERS),
    # Two that are told to wait for the same unit would come back at the same instant.
    retry=st.sampled_from([None, RetryConfig(attempts=3, base_seconds=0.5, idempotent=True, never=(OverRate,))]),
    time_limit_seconds=st.sampled_from([None, 1.571]),
)
ACTS = ["at once", "soon", "late", "hang", "fail at once", "fail late", "slow failure", "nested", "future", "shielded"]


async def act(name: str, pipeline: Pipeline, seen: list[float | None]) -> str:
    left = remaining()
    seen.append(None if left is None else round(left, 6))
    match name:
        case "soon" | "late" | "hang":
            await asyncio.sleep({"soon": 0, "late": 1.217, "hang": 60}[name])
        case "fail at once":
            raise ConnectionResetError(name)
        case "fail late" | "slow failure":
            await asyncio.sleep(1.013 if name == "fail late" else 2.531)
            raise ConnectionResetError(name)
        case "nested":
            return "in " + await pipeline.call(act, "late", pipeline, seen)
        case "future":
            await asyncio.gather(asyncio.sleep(0.203), asyncio.sleep(0.419))
        case "shielded":
            try:
                await asyncio.sleep(2.091)
            except asyncio.CancelledError:
                return "not cancelled"
        case _:
            pass
    return name


def play(config: PipelineConfig, seed: int, *, short: bool) -> object:
    chance = random.Random(seed)

    async def scenario() -> object:
        budget = RetryBudget(ratio=0.5, reserve=4)
        pipeline = Pipeline("tts", config, budget=budget, clock=LoopClock())
        if not short:
            pipeline._path = None
        log: list[object] = []
        seen: list[float | None] = []

        async def caller(number: int, name: str, around: float | None) -> None:
            try:
                async with deadline(around):
                    told = await pipeline.call(act, name, pipeline, seen=seen)
            except asyncio.CancelledError:
                log.append((number, "cancelled", round(asyncio.get_running_loop().time(), 6)))
                raise
            except (OSError, OrchestratorError) as error:
                told = type(error).__name__
            log.append((number, told, round(asyncio.get_running_loop().time(), 6)))
            await asyncio.sleep(0)  # a cancellation that came too late would end this

        tasks = []
        for number in range(14):
            tasks.append(asyncio.create_task(caller(number, chance.choice(ACTS), chance.choice([None, None, 2.049]))))
            # No two events at the same instant: their order would be nobody's promise.
            await asyncio.sleep(chance.choice([0, 0.1, 0.6, 3]) + chance.uniform(0.001, 0.01))
            if chance.random() < 0.2:
                chance.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        snapshot = pipeline.snapshot()
        breaker = snapshot.breaker
        if breaker is not None and breaker.retry_after is not None:
            breaker = replace(breaker, retry_after=round(breaker.retry_after, 6))
        counted = (dict(snapshot.outcomes), breaker, snapshot.bulkhead, budget.first_attempts, budget.taken)
        # Who waited for the same event goes on at the same instant, in no order that anybody has promised.
        return sorted(log), sorted(map(str, seen)), counted, remaining()

    return virtual_time.run(scenario())


@pytest.fixture(scope="module", autouse=True)
def _no_chance_in_pauses():
    patch = pytest.MonkeyPatch()
    patch.setattr(retry_utils, "backoff", lambda config, number, before, chance: 0.313)
    yield
    patch.undo()


@given(configs, st.integers(0, 10_000))
def test_both_ways_tell_the_same(config, seed):
    assert play(config, seed, short=True) == play(config, seed, short=False)


@pytest.mark.soak
@settings(max_examples=4000)
@given(configs, st.integers(0, 1_000_000))
def test_both_ways_tell_the_same_thousands_of_times(config, seed):
    assert play(config, seed, short=True) == play(config, seed, short=False)


FULL = PipelineConfig(
    deadline_seconds=8,
    time_limit_seconds=5,
    rate_limit="1000/second",
    bulkhead=BulkheadConfig(),
    breaker=BREAKERS[1],
    retry=RetryConfig(),
)


def whole() -> Pipeline:
    pipeline = Pipeline("tts", FULL, budget=RetryBudget(), clock=LoopClock())
    assert pipeline._path is not None
    return pipeline


class Answer:
    """An awaitable that is neither a coroutine nor a future."""

    def __await__(self):
        yield from asyncio.sleep(1).__await__()
        return 42


def test_whatever_can_be_awaited_can_be_called():
    async def scenario() -> list[object]:
        case, done = whole(), asyncio.get_running_loop().create_future()
        done.set_result("done")
        task = asyncio.create_task(asyncio.sleep(1, "slept"))
        return [await case.call(lambda each=each: each) for each in (Answer(), done, task)]

    assert virtual_time.run(scenario()) == [42, "done", "slept"]


def test_what_is_no_awaitable_is_an_error_that_leaves_no_trace():
    def broken() -> int:
        raise StopIteration(3)

    async def scenario() -> None:
        case = whole()
        with pytest.raises(RuntimeError, match="StopIteration"):
            await case.call(broken)
        with pytest.raises(TypeError):
            await case.call(lambda: 5)
        assert case.snapshot().bulkhead.running == 0
        assert case.snapshot().breaker.failures == 2

    virtual_time.run(scenario())


def test_a_task_that_the_call_starts_at_once_has_the_deadline_too():
    async def scenario() -> list[float | None]:
        async def inside() -> float | None:
            await asyncio.sleep(1)
            return remaining()

        async def start() -> asyncio.Task[float | None]:
            return asyncio.create_task(inside())

        return [await (await whole().call(start)), remaining()]

    assert virtual_time.run(scenario()) == [7, None]


def test_nothing_is_started_when_the_time_around_is_over():
    async def scenario() -> int:
        case, started = Pipeline("tts", PipelineConfig(), clock=LoopClock()), 0

        async def count() -> None:
            nonlocal started
            started += 1

        async def late() -> None:
            await asyncio.sleep(2)
            await case.call(count)

        async with deadline(1):
            outliving = asyncio.create_task(late())
        with pytest.raises(DeadlineExceeded, match="no time is left for tts"):
            await outliving
        return started

    assert virtual_time.run(scenario()) == 0


class Thing:
    pass


def test_no_result_and_no_error_is_held_on_to():
    async def scenario() -> list[object]:
        case, kept = whole(), []

        async def make(*, fail: bool, wait: bool) -> Thing:
            thing = Thing()
            kept.append(weakref.ref(thing))
            if wait:
                await asyncio.sleep(1)
            if fail:
                raise ConnectionResetError(thing)
            return thing

        for fail, wait in [(False, False), (False, True), (True, False), (True, True)]:
            try:
                await case.call(make, fail=fail, wait=wait)
            except ConnectionResetError:
                pass
        return [each() for each in kept]

    gc.disable()
    try:
        assert virtual_time.run(scenario()) == [None] * 4
    finally:
        gc.enable()


def test_a_pipeline_moves_to_a_loop_with_another_clock():
    case = Pipeline("tts", PipelineConfig(deadline_seconds=8, time_limit_seconds=5))

    async def hang() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(retry_utils.AttemptTimedOut):
            await case.call(asyncio.sleep, 60)
        return asyncio.get_running_loop().time() - began

    async def left() -> float | None:
        await asyncio.sleep(0)
        return remaining()

    assert asyncio.run(case.call(left)) == pytest.approx(8, abs=0.5)
    assert virtual_time.run(hang()) == pytest.approx(5)
    assert virtual_time.run(case.call(left)) == pytest.approx(8)


def test_a_coroutine_that_is_closed_ends_what_it_runs():
    ended = []

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def scenario() -> None:
        case = whole()
        call = case.call(hang)
        call.send(None)
        call.close()
        assert case.snapshot().bulkhead.running == 0

    virtual_time.run(scenario())
    assert ended == [True]


def test_a_call_inside_a_call_pays_the_budget_once():
    async def scenario() -> int:
        budget = RetryBudget()
        outer, inner = (Pipeline(name, FULL, budget=budget, clock=LoopClock()) for name in ("outer", "inner"))
        await outer.call(inner.call, asyncio.sleep, 1)
        await outer.call(inner.call, Answer)
        return budget.first_attempts

    assert virtual_time.run(scenario()) == 2
