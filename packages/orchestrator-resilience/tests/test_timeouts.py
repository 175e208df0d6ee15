"""The shared time limits behave as `asyncio.timeout` does, for many calls at once. Time is virtual."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel import virtual_time
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience.deadlines import DeadlineExceeded, deadline
from orchestrator_resilience.manager import Pipeline
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.retry_utils import AttemptTimedOut


def limited(seconds: float) -> Pipeline:
    return Pipeline("tts", PipelineConfig(time_limit_seconds=seconds), clock=LoopClock())


@given(st.integers(0, 100_000))
def test_every_call_ends_by_its_own_limit_and_not_by_anothers(seed):
    chance = random.Random(seed)

    async def scenario() -> None:
        case = limited(5)

        async def caller() -> None:
            length, began = chance.choice([0.5, 4.9, 5.1, 60]), asyncio.get_running_loop().time()
            if length < 5:
                await case.call(asyncio.sleep, length)
            else:
                with pytest.raises(AttemptTimedOut):
                    await case.call(asyncio.sleep, length)
            assert asyncio.get_running_loop().time() - began == pytest.approx(min(length, 5), abs=1e-4)
            await asyncio.sleep(10)  # a cancellation that came too late would be seen here

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(caller())
                await asyncio.sleep(chance.choice([0, 0.1, 3, 20]))

    virtual_time.run(scenario())


def test_a_cancellation_from_outside_stays_one_even_when_the_limit_ends_with_it():
    async def scenario() -> None:
        case = limited(5)
        task = asyncio.create_task(case.call(asyncio.sleep, 60))
        asyncio.get_running_loop().call_at(5, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual_time.run(scenario())


def test_a_function_that_answers_although_it_was_told_to_stop_leaves_the_task_in_order():
    async def scenario() -> tuple[str, int]:
        async def stubborn() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "anyway"
            return "in time"

        answer = await limited(1).call(stubborn)
        task = asyncio.current_task()
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(1))
        return answer, 0 if task is None else task.cancelling()

    assert virtual_time.run(scenario()) == ("anyway", 0)


def test_limits_inside_a_deadline_that_ends_first():
    async def scenario() -> float:
        with pytest.raises(DeadlineExceeded):
            async with deadline(2):
                await limited(5).call(asyncio.sleep, 60)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(scenario()) == pytest.approx(2)


def test_one_pipeline_in_several_loops_one_after_the_other():
    case = limited(5)
    for _ in range(2):
        with pytest.raises(AttemptTimedOut):
            virtual_time.run(case.call(asyncio.sleep, 60))


def test_a_time_limit_of_the_function_itself_is_not_taken_for_ours():
    async def own() -> None:
        async with asyncio.timeout(1):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError) as caught:
        virtual_time.run(limited(5).call(own))
    assert not isinstance(caught.value, AttemptTimedOut)
