"""What a scrape shows. Time is virtual."""

from __future__ import annotations

import asyncio
import random

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator_kernel import virtual_time
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience.backpressure_handler import BoundedQueue, Bulkhead, ClientThrottle, Shed
from orchestrator_resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from orchestrator_resilience.config import BulkheadConfig, CircuitBreakerConfig, QueueConfig, RetryConfig
from orchestrator_resilience.events import DECISIONS, Decision
from orchestrator_resilience.manager import ResilienceManager
from orchestrator_resilience.metrics import ResilienceMetrics
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.retry_utils import RetryBudget

ORDER = ("dependency", "policy", "outcome", "decision", "state", "kind", "old", "new", "le")


def scraped(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Name and label values of every sample but the creation times."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, *(sample.labels[label] for label in ORDER if label in sample.labels)): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


async def down() -> None:
    raise ConnectionResetError("down")


def test_a_scrape_shows_what_the_pipelines_did_and_how_they_are():
    async def scenario() -> dict[tuple[str, ...], float]:
        registry = CollectorRegistry()
        metrics = ResilienceMetrics(registry)
        config = PipelineConfig(
            bulkhead=BulkheadConfig(limit=7),
            breaker=CircuitBreakerConfig(window="consecutive", consecutive_failures=2, probes=1),
            retry=RetryConfig(attempts=2, base_seconds=0.1, idempotent=True),
        )
        manager = ResilienceManager(
            {"tts": config},
            budget=RetryBudget(),
            clock=LoopClock(),
            observers=[metrics.changed],
            decision_observers=[metrics.decided],
        )
        metrics.watch(manager, manager)
        pipeline = manager.pipeline("tts")
        await pipeline.call(asyncio.sleep, 0)
        for error in (ConnectionResetError, ConnectionResetError, CircuitOpen):
            with pytest.raises(error):
                await pipeline.call(down)
        return scraped(registry)

    samples = virtual_time.run(scenario())
    expected = {
        ("calls_total", "tts", "success"): 1,
        ("calls_total", "tts", "failure"): 2,
        ("calls_total", "tts", "breaker"): 1,
        ("breaker_state", "tts", "open"): 1,
        ("breaker_state", "tts", "closed"): 0,
        ("breaker_transitions_total", "tts", "closed", "open"): 1,
        ("breaker_refusals_total", "tts"): 1,
        ("breaker_openings_total", "tts"): 1,
        ("bulkhead_limit_calls", "tts"): 7,
        ("bulkhead_running_calls", "tts"): 0,
        ("decisions_total", "tts", "retry", "retried"): 2,
        ("decisions_total", "tts", "retry", "attempts_spent"): 2,
        ("decisions_total", "tts", "pipeline", "breaker"): 1,
        ("retry_pause_seconds_count", "tts"): 2,
        ("budget_retries_total",): 2,
        ("budget_first_attempts_total",): 3,
    }
    found = {
        (name.removeprefix("orchestrator_resilience_"), *labels): value for (name, *labels), value in samples.items()
    }
    assert {key: found.get(key) for key in expected} == expected
    assert all(name.startswith("orchestrator_resilience_") for name, *_ in samples)


def test_policies_that_stand_alone_can_be_watched():
    async def scenario() -> dict[tuple[str, ...], float]:
        registry = CollectorRegistry()
        metrics = ResilienceMetrics(registry)
        clock = LoopClock()
        walls = Bulkhead("pms", BulkheadConfig(limit=1, max_waiting=0), clock=clock, observers=[metrics.decided])
        queue = BoundedQueue(
            QueueConfig(max_items=1, max_bytes=100, strategy="drop-oldest"),
            on_drop=lambda dropped: None,
            size=len,
            name="webhooks",
            clock=clock,
            observers=[metrics.decided],
        )
        throttle = ClientThrottle("pms", clock=clock, chance=random.Random(1))
        metrics.watch(walls, queue, throttle, CircuitBreaker("vault"), RetryBudget(), RetryBudget(reserve=5))
        async with walls.slot():
            with pytest.raises(Shed):
                await walls.call(asyncio.sleep, 0)
            for item in ("first", "second"):
                await queue.put(item)
            return scraped(registry)

    found = virtual_time.run(scenario())
    expected = {
        ("bulkhead_running_calls", "pms"): 1,
        ("bulkhead_sheds_total", "pms"): 1,
        ("queue_items", "webhooks"): 1,
        ("queue_bytes", "webhooks"): 6,
        ("queue_drops_total", "webhooks"): 1,
        ("decisions_total", "webhooks", "queue", "displaced"): 1,
        ("throttle_refusal_ratio", "pms"): 0,
        ("breaker_state", "vault", "closed"): 1,
        ("budget_balance_retries",): 15,
    }
    assert {key: found.get((f"orchestrator_resilience_{key[0]}", *key[1:])) for key in expected} == expected


def test_names_and_words_are_bounded():
    registry = CollectorRegistry()
    metrics = ResilienceMetrics(registry, max_names=3)
    for number in range(1000):
        metrics.decided(Decision("retry", f"tenant-{number}", "retried", 0.1))
        metrics.decided(Decision("retry", "tenant-0", f"word-{number}"))
    counted = {key[1:]: value for key, value in scraped(registry).items() if "decisions" in key[0]}
    assert counted["other", "retry", "retried"] == 997
    assert counted["tenant-0", "retry", "other"] == 1000
    assert len(counted) <= 4 * (len(DECISIONS["retry"]) + 1)


def test_bad_settings_and_a_second_one_in_a_registry_are_refused():
    with pytest.raises(ConfigurationError, match="max_names"):
        ResilienceMetrics(CollectorRegistry(), max_names=0)
    registry = CollectorRegistry()
    ResilienceMetrics(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        ResilienceMetrics(registry)
