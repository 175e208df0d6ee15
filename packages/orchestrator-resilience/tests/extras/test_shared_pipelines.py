"""Pipelines of two processes that share circuits and rate limits in a real Valkey."""

from __future__ import annotations

import asyncio
import logging

import pytest

from orchestrator_resilience.config import CircuitBreakerConfig
from orchestrator_resilience.manager import OverRate, ResilienceManager
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.rate_limiter import open_storage
from orchestrator_resilience.shared_breaker import open_breaker_store

pytestmark = pytest.mark.server
CONFIG = PipelineConfig(
    rate_limit="5/hour", breaker=CircuitBreakerConfig(window="consecutive", consecutive_failures=2, probes=1)
)


def process(url: str, seconds: float = 10) -> ResilienceManager:
    return ResilienceManager(
        {"tts": CONFIG},
        breaker_store=open_breaker_store(url, time_limit_seconds=seconds, sync_seconds=0.05),
        rate_storage=open_storage(url, time_limit_seconds=seconds),
    )


async def down() -> None:
    raise ConnectionResetError("down")


async def test_limits_and_circuits_hold_for_both(valkey_database):
    one, other = process(valkey_database), process(valkey_database)
    assert await one.start()
    assert await other.start()
    assert (one.health().notes, one.health().stores_out) == ((), ())
    for each in (one, other, one):
        await each.pipeline("tts").call(asyncio.sleep, 0)
    await asyncio.sleep(0.2)
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await one.pipeline("tts").call(down)
    async with asyncio.timeout(3):
        while other.healthy():
            await asyncio.sleep(0.01)
    assert (other.health().notes, other.health().stores_out) == (("the circuit of tts is open",), ())
    other.reset()
    with pytest.raises(OverRate) as refusal:
        await other.pipeline("tts").call(asyncio.sleep, 0)
    assert refusal.value.retry_after > 60
    await one.aclose()
    await other.aclose()


async def test_stores_that_are_not_there_are_told_once_and_the_pipelines_work(caplog):
    with caplog.at_level(logging.WARNING):
        case = process("redis://127.0.0.1:1/0", 0.03)
        assert not await case.start()
        for _ in range(5):
            await case.pipeline("tts").call(asyncio.sleep, 0)
        with pytest.raises(OverRate):
            await case.pipeline("tts").call(asyncio.sleep, 0)
        assert len(case.health().notes) == 2
        assert case.health().stores_out == ("circuits", "rate_limits")
        assert case.health().healthy
        await case.aclose()
    assert sum("is lost" in each.message for each in caplog.records) == 2
