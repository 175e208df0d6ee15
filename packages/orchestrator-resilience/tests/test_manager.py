"""Pipelines, as their callers and operators see them. Time is virtual."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator_kernel import virtual_time
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience.backpressure_handler import Priority, Shed
from orchestrator_resilience.circuit_breaker import CircuitOpen, Transition
from orchestrator_resilience.config import BulkheadConfig, CircuitBreakerConfig, HedgeConfig, RetryConfig
from orchestrator_resilience.deadlines import DeadlineExceeded, remaining
from orchestrator_resilience.manager import OverRate, Pipeline, ResilienceManager
from orchestrator_resilience.pipeline_config import ORDER, SERVICE_DEFAULTS, PipelineConfig, for_profile
from orchestrator_resilience.retry_utils import AttemptTimedOut, RetryBudget

TRIPS = CircuitBreakerConfig(window="consecutive", consecutive_failures=2, probes=1)
RETRY = RetryConfig(attempts=3, base_seconds=0.1, idempotent=True)
FULL = PipelineConfig(
    deadline_seconds=10,
    rate_limit="1000/second",
    bulkhead=BulkheadConfig(limit=50),
    breaker=TRIPS,
    retry=RETRY,
    hedge=HedgeConfig(delay_seconds=0.5),
    time_limit_seconds=2,
)


def pipeline(budget: RetryBudget | None = None, fallback=None, **settings) -> Pipeline:
    return Pipeline("tts", PipelineConfig(**settings), budget=budget, fallback=fallback, clock=LoopClock())


async def down() -> None:
    raise ConnectionResetError("down")


async def outcome(call) -> str:
    try:
        await call
    except (OrchestratorError, OSError) as error:
        return type(error).__name__
    return "fine"


def test_a_full_pipeline_passes_arguments_and_results_through():
    async def speak(text: str, *, voice: str) -> str:
        await asyncio.sleep(0.01)
        return f"{voice}: {text}"

    async def scenario() -> tuple[str, dict[str, int]]:
        whole = Pipeline("tts", FULL, budget=RetryBudget(), clock=LoopClock())
        return await whole.call(speak, "hello", voice="ada"), dict(whole.snapshot().outcomes)

    assert virtual_time.run(scenario()) == ("ada: hello", {"success": 1})


def test_every_outcome_carries_the_policy_that_decided_it():
    async def scenario() -> dict[str, dict[str, int]]:
        cases = {
            "deadline": (pipeline(deadline_seconds=1), [(asyncio.sleep, 5)]),
            "rate_limit": (pipeline(rate_limit="1/hour"), [(asyncio.sleep, 0)] * 2),
            "breaker": (pipeline(breaker=TRIPS), [(down,)] * 3),
            "time_limit": (pipeline(time_limit_seconds=1), [(asyncio.sleep, 5)]),
            "failure": (pipeline(), [(down,)]),
        }
        for case, calls in cases.values():
            for call in calls:
                await outcome(case.call(*call))
        walls = pipeline(bulkhead=BulkheadConfig(limit=1, max_waiting=0))
        holder = asyncio.create_task(walls.call(asyncio.sleep, 1))
        await asyncio.sleep(0)
        await outcome(walls.call(asyncio.sleep, 0))
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
        told = {name: dict(case.snapshot().outcomes) for name, (case, _) in cases.items()}
        return told | {"bulkhead": dict(walls.snapshot().outcomes)}

    assert virtual_time.run(scenario()) == {
        "deadline": {"deadline": 1},
        "rate_limit": {"success": 1, "rate_limit": 1},
        "breaker": {"failure": 2, "breaker": 1},
        "time_limit": {"time_limit": 1},
        "failure": {"failure": 1},
        "bulkhead": {"bulkhead": 1, "cancelled": 1},
    }


def test_an_error_of_a_nested_pipeline_is_a_failure_of_the_outer_one():
    async def scenario() -> dict[str, int]:
        inner, outer = pipeline(breaker=TRIPS), Pipeline("outer", PipelineConfig(breaker=TRIPS), clock=LoopClock())
        inner.breaker.force_open()
        await outcome(outer.call(inner.call, down))
        return dict(outer.snapshot().outcomes)

    assert virtual_time.run(scenario()) == {"failure": 1}


def test_the_breaker_counts_calls_and_not_attempts_unless_it_is_put_inside():
    async def attempts(order) -> tuple[int, str]:
        made = 0

        async def failing() -> None:
            nonlocal made
            made += 1
            raise ConnectionResetError("down")

        case = pipeline(breaker=TRIPS, retry=RETRY, order=order)
        return made, await outcome(case.call(failing)) + f" after {made}: {case.breaker.state}"

    swapped = ("deadline", "rate_limit", "bulkhead", "retry", "breaker", "hedge", "time_limit")
    assert virtual_time.run(attempts(ORDER))[1] == "ConnectionResetError after 3: closed"
    assert virtual_time.run(attempts(swapped))[1] == "CircuitOpen after 2: open"


def test_a_time_limit_is_for_each_attempt_and_the_deadline_for_all():
    async def scenario() -> tuple[str, float, int]:
        made = 0

        async def hang() -> None:
            nonlocal made
            made += 1
            await asyncio.sleep(1000)

        case = pipeline(
            deadline_seconds=3, retry=RetryConfig(attempts=9, base_seconds=0.01, idempotent=True), time_limit_seconds=1
        )
        told = await outcome(case.call(hang))
        return told, asyncio.get_running_loop().time(), made

    told, took, made = virtual_time.run(scenario())
    assert told in {"DeadlineExceeded", "AttemptTimedOut"}
    assert took <= 3 + 1e-5
    assert made == 3


def test_the_deadline_travels_through_nested_pipelines():
    async def scenario() -> float | None:
        left = []

        async def innermost() -> None:
            left.append(remaining())

        inner, outer = pipeline(deadline_seconds=60), pipeline(deadline_seconds=2)
        await outer.call(inner.call, innermost)
        return left[0]

    assert virtual_time.run(scenario()) == 2


def test_a_fallback_answers_for_every_error_and_for_no_cancellation():
    async def sorry(error: Exception) -> str:
        return f"sorry: {type(error).__name__}"

    async def scenario() -> list[object]:
        case = pipeline(fallback=sorry, breaker=TRIPS)
        answers: list[object] = [await case.call(down) for _ in range(3)]
        task = asyncio.create_task(case.call(asyncio.sleep, 60))
        case.reset()
        await asyncio.sleep(0)
        task.cancel()
        answers.extend(await asyncio.gather(task, return_exceptions=True))
        return [*answers, dict(case.snapshot().outcomes)]

    *answers, cancelled, outcomes = virtual_time.run(scenario())
    assert answers == ["sorry: ConnectionResetError"] * 2 + ["sorry: CircuitOpen"]
    assert isinstance(cancelled, asyncio.CancelledError)
    assert outcomes == {"failure": 2, "breaker": 1, "fallback": 3, "cancelled": 1}


def test_priority_and_idempotency_of_a_single_call():
    async def scenario() -> tuple[list[str], int]:
        case = pipeline(bulkhead=BulkheadConfig(limit=1, max_waiting=1, max_wait_seconds=50), retry=RETRY)
        holder = asyncio.create_task(case.call(asyncio.sleep, 1))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(outcome(case.call(asyncio.sleep, 0)))
        await asyncio.sleep(0)
        urgent = await outcome(case.call_as(lambda: asyncio.sleep(0), priority=Priority.CRITICAL))
        await holder
        made = 0

        async def failing() -> None:
            nonlocal made
            made += 1
            raise ConnectionResetError("down")

        await outcome(case.call_as(failing, idempotent=False))
        return [urgent, await waiting], made

    assert virtual_time.run(scenario()) == (["fine", "Shed"], 1)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"deadline_seconds": 0}, "deadline_seconds"),
        ({"rate_limit": "often"}, "limits"),
        ({"deadline_seconds": 2, "time_limit_seconds": 3}, "time_limit_seconds"),
        ({"deadline_seconds": 2, "retry": RetryConfig(total_seconds=3)}, "retry.total_seconds"),
        ({"deadline_seconds": 2, "retry": RetryConfig(base_seconds=3)}, "retry.base_seconds"),
        ({"deadline_seconds": 2, "bulkhead": BulkheadConfig(max_wait_seconds=3)}, "bulkhead.max_wait_seconds"),
        ({"time_limit_seconds": 1, "retry": RETRY, "hedge": HedgeConfig(delay_seconds=2)}, "hedge.delay_seconds"),
        ({"time_limit_seconds": 90, "breaker": CircuitBreakerConfig()}, "time_limit_seconds"),
        ({"hedge": HedgeConfig(delay_seconds=2)}, "hedge"),
        ({"retry": RetryConfig(), "hedge": HedgeConfig(delay_seconds=2)}, "hedge"),
        ({"order": ORDER[:-1]}, "order"),
        ({"order": ("rate_limit", "deadline", *ORDER[2:])}, "order"),
        ({"order": (*ORDER[:2], "breaker", "bulkhead", *ORDER[4:])}, "order"),
        ({"order": (*ORDER[:5], "time_limit", "hedge")}, "order"),
    ],
)
def test_policies_that_contradict_each_other_are_refused_with_the_reason(settings, named):
    with pytest.raises(ConfigurationError) as refusal:
        PipelineConfig(**settings)
    assert refusal.value.details["setting"] == named


def test_the_registry():
    async def scenario() -> None:
        heard: list[Transition] = []
        configs = {"tts": PipelineConfig(breaker=TRIPS), "pms": PipelineConfig(deadline_seconds=5)}
        manager = ResilienceManager(configs, clock=LoopClock(), observers=[heard.append])
        await outcome(manager.pipeline("tts").call(down))
        await outcome(manager.pipeline("tts").call(down))
        assert (manager.healthy(), manager.snapshot()["tts"].healthy) == (False, False)
        assert [(each.breaker, each.new) for each in heard] == [("tts", "open")]
        manager.reset()
        assert manager.healthy()
        manager.breaker("tts").force_open()
        assert await outcome(manager.pipeline("tts").call(down)) == "CircuitOpen"
        with pytest.raises(ConfigurationError, match="pms, tts"):
            manager.pipeline("unknown")
        with pytest.raises(ConfigurationError, match="no circuit breaker"):
            manager.breaker("pms")

    virtual_time.run(scenario())


def test_a_reload_changes_what_changed_and_nothing_else():
    async def scenario() -> None:
        configs = {"tts": PipelineConfig(breaker=TRIPS), "pms": PipelineConfig(), "old": PipelineConfig()}
        manager = ResilienceManager(configs, clock=LoopClock())
        tts, pms = manager.pipeline("tts"), manager.pipeline("pms")
        tts.breaker.force_open()
        under_way = asyncio.create_task(pms.call(asyncio.sleep, 5))
        await asyncio.sleep(0)
        new = {
            "tts": PipelineConfig(breaker=TRIPS),
            "pms": PipelineConfig(rate_limit="1/hour"),
            "new": PipelineConfig(),
        }
        assert manager.reload(new) == ["new", "old", "pms"]
        assert manager.pipeline("pms") is pms
        assert tts.breaker.state == "forced_open"
        assert [await outcome(pms.call(asyncio.sleep, 0)) for _ in range(2)] == ["fine", "OverRate"]
        await under_way
        assert manager.names == ["new", "pms", "tts"]

    virtual_time.run(scenario())


def test_a_reload_keeps_the_state_of_every_policy_whose_part_did_not_change():
    async def scenario() -> None:
        config = PipelineConfig(breaker=TRIPS, rate_limit="2/hour", time_limit_seconds=1, bulkhead=BulkheadConfig())
        manager = ResilienceManager({"tts": config}, clock=LoopClock())
        tts = manager.pipeline("tts")
        await tts.call(asyncio.sleep, 0)
        manager.breaker("tts").force_open()
        assert manager.reload({"tts": replace(config, time_limit_seconds=2)}) == ["tts"]
        assert tts.breaker.state == "forced_open"
        assert manager.health().notes == ("the circuit of tts is forced_open",)
        tts.breaker.reset()
        assert [await outcome(tts.call(asyncio.sleep, 0)) for _ in range(2)] == ["fine", "OverRate"]
        manager.reload({"tts": replace(config, rate_limit="3/hour", breaker=replace(TRIPS, probes=2))})
        assert tts.breaker.config.probes == 2
        assert [await outcome(tts.call(asyncio.sleep, 0)) for _ in range(4)] == ["fine"] * 3 + ["OverRate"]

    virtual_time.run(scenario())


def test_a_fallback_for_nobody_is_refused():
    async def sorry(error: Exception) -> None:
        pass

    with pytest.raises(ConfigurationError, match="tss"):
        ResilienceManager({"tts": PipelineConfig()}, fallbacks={"tss": sorry})


def test_the_kinds_of_refusal_are_errors_of_the_kernel():
    kinds = {OverRate: 429, Shed: 503, CircuitOpen: 503, DeadlineExceeded: 504, AttemptTimedOut: 504}
    assert {kind: kind("x").status for kind in kinds} == kinds


def test_the_service_defaults_and_their_profiles():
    told = {
        name: (
            each.breaker.consecutive_failures,
            each.breaker.recovery_seconds,
            each.breaker.probes,
            each.time_limit_seconds,
        )
        for name, each in SERVICE_DEFAULTS.items()
    }
    assert told == {
        "tts_service": (5, 60, 3, 30),
        "pms_connector": (3, 30, 2, 15),
        "livekit_service": (5, 45, 3, 20),
        "vault_service": (3, 20, 2, 10),
        "external_api": (5, 60, 3, 25),
    }
    production = for_profile(SERVICE_DEFAULTS["tts_service"], "production")
    assert (production.breaker.consecutive_failures, production.breaker.recovery_seconds) == (4, 90)
    assert (production.time_limit_seconds, production.bulkhead.max_waiting) == (40, 70)
    assert for_profile(SERVICE_DEFAULTS["pms_connector"], "production").breaker.consecutive_failures == 3
    development = for_profile(SERVICE_DEFAULTS["vault_service"], "development")
    assert (development.breaker.consecutive_failures, development.breaker.recovery_seconds) == (5, 10)
    assert for_profile(production, "staging") is production
    with pytest.raises(ConfigurationError, match="profile"):
        for_profile(production, "test")
