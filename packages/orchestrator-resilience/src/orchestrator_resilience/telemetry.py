"""OpenTelemetry events of every state change and decision (extra `[otel]`).

What the user types:

    events = SpanEvents()
    manager = ResilienceManager(configs, observers=[events.changed], decision_observers=[events.decided])

A decision is an event of the span that is current when it falls, so a trace tells why a call took so long, or did not happen. One that falls
outside of any span that records has a short span of its own. Only the API is needed; what is done with it is the application's.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace

from orchestrator_resilience.circuit_breaker import Transition
from orchestrator_resilience.events import Decision

__all__ = ["SpanEvents"]

Value = str | float


class SpanEvents:
    """Writes events into the current span.

    Args:
        provider: Where spans come from for what falls outside of any; the global one unless given.
    """

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("orchestrator_resilience", tracer_provider=provider)

    def decided(self, decision: Decision) -> None:
        """A `DecisionObserver`."""
        attributes: dict[str, Value] = {
            "resilience.dependency": decision.dependency,
            "resilience.policy": decision.policy,
            "resilience.decision": decision.decision,
        }
        if decision.seconds is not None:
            attributes["resilience.seconds"] = decision.seconds
        self._write(f"resilience.{decision.policy}", attributes)

    def changed(self, transition: Transition) -> None:
        """An `Observer` of circuit breakers."""
        self._write(
            "resilience.breaker",
            {
                "resilience.dependency": transition.breaker,
                "resilience.state.old": transition.old,
                "resilience.state.new": transition.new,
            },
        )

    def _write(self, name: str, attributes: Mapping[str, Value]) -> None:
        span = trace.get_current_span()
        if span.is_recording():
            span.add_event(name, attributes)
            return
        self._tracer.start_span(name, attributes=attributes).end()
