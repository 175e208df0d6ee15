"""What a trace shows, read with OpenTelemetry's own SDK."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator_kernel import virtual_time
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience.config import CircuitBreakerConfig, RetryConfig
from orchestrator_resilience.manager import ResilienceManager
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.telemetry import SpanEvents


@pytest.fixture
def spans():
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter, provider
    provider.shutdown()


def failing(events: SpanEvents) -> ResilienceManager:
    config = PipelineConfig(
        breaker=CircuitBreakerConfig(window="consecutive", consecutive_failures=1),
        retry=RetryConfig(attempts=2, base_seconds=1, idempotent=True),
    )
    return ResilienceManager(
        {"tts": config},
        budget=None,
        clock=LoopClock(),
        observers=[events.changed],
        decision_observers=[events.decided],
    )


async def down() -> None:
    raise ConnectionResetError("down")


def test_a_span_tells_what_was_decided_while_it_ran(spans):
    exporter, provider = spans

    async def scenario() -> None:
        pipeline = failing(SpanEvents(provider)).pipeline("tts")
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("say hello"), pytest.raises(ConnectionResetError):
            await pipeline.call(down)

    virtual_time.run(scenario())
    (span,) = exporter.get_finished_spans()
    told = [(each.name, each.attributes.get("resilience.decision")) for each in span.events]
    assert told == [
        ("resilience.retry", "retried"),
        ("resilience.retry", "attempts_spent"),
        ("resilience.breaker", None),
        ("resilience.pipeline", "failure"),
    ]
    assert 0 < span.events[0].attributes["resilience.seconds"] <= 1
    assert span.events[2].attributes["resilience.state.new"] == "open"
    assert all(each.attributes["resilience.dependency"] == "tts" for each in span.events)


def test_outside_of_a_span_nothing_is_lost(spans):
    exporter, provider = spans

    async def scenario() -> None:
        with pytest.raises(ConnectionResetError):
            await failing(SpanEvents(provider)).pipeline("tts").call(down)

    virtual_time.run(scenario())
    assert [span.name for span in exporter.get_finished_spans()] == [
        "resilience.retry",
        "resilience.retry",
        "resilience.breaker",
        "resilience.pipeline",
    ]


def test_without_an_sdk_it_costs_nothing_and_breaks_nothing():
    async def scenario() -> None:
        with pytest.raises(ConnectionResetError):
            await failing(SpanEvents()).pipeline("tts").call(down)
        await asyncio.sleep(0)

    virtual_time.run(scenario())
