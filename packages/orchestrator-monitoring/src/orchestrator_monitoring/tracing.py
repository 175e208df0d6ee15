"""Traces: spans of requests, outgoing requests, database statements, calls and their turns (extra `[tracing]`).

What the user types:

    tracing = Tracing(TracingConfig(service="desk"), exporter=OtlpExporter("http://collector:4318"))
    app.add_middleware(TracingMiddleware, provider=tracing.provider)

Instrumentation here, and yours, writes through OpenTelemetry's API alone, and works with any provider of it. `Tracing` is one: it costs half
of the SDK's, and decides at the end of a trace's part in this process whether it is worth exporting, so that errors and
slow turns are kept though little else is. The SDK is not needed; its exporters may be used (extra `[otel]`).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Span as TracedWork
from opentelemetry.trace import StatusCode, TracerProvider, get_current_span

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Redactor
from orchestrator_monitoring._tracing.asgi import Correlated, TracingMiddleware
from orchestrator_monitoring._tracing.baggage import BaggageValue
from orchestrator_monitoring._tracing.calls import CallTraces, trace_of_call
from orchestrator_monitoring._tracing.exporters import ConsoleExporter, MemoryExporter, SdkExporter
from orchestrator_monitoring._tracing.otlp_http import OtlpExporter
from orchestrator_monitoring._tracing.own_metrics import FATES, TRACING_METRICS, TracingCollector
from orchestrator_monitoring._tracing.privacy import CALL, Privacy
from orchestrator_monitoring._tracing.propagation import extract, inject
from orchestrator_monitoring._tracing.queue import ExportQueue, Sink
from orchestrator_monitoring._tracing.recorder import LONG_LIVED, Recorder
from orchestrator_monitoring._tracing.segment import KEPT_BECAUSE, Judge, Rules

if TYPE_CHECKING:
    from orchestrator_monitoring._tracing.httpx_transport import TracedTransport
    from orchestrator_monitoring._tracing.sqlalchemy_spans import trace_engine

__all__ = [
    "CALL",
    "FATES",
    "KEPT_BECAUSE",
    "LONG_LIVED",
    "TRACING_METRICS",
    "BaggageValue",
    "CallTraces",
    "ConsoleExporter",
    "Correlated",
    "MemoryExporter",
    "OtlpExporter",
    "SdkExporter",
    "TracedTransport",
    "TracedWork",
    "Tracing",
    "TracingCollector",
    "TracingConfig",
    "TracingMiddleware",
    "extract",
    "failed",
    "inject",
    "recorded_trace_id",
    "trace_engine",
    "trace_of_call",
]

_LAZY: Final = {
    "TracedTransport": "orchestrator_monitoring._tracing.httpx_transport",
    "trace_engine": "orchestrator_monitoring._tracing.sqlalchemy_spans",
}


def __getattr__(name: str) -> Any:
    # httpx and SQLAlchemy are extras, loaded by those who ask for what needs them.
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_LAZY[name]), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingConfig:
    """What is traced, and how much of it may wait. Times in seconds.

    Attributes:
        service: `service.name`, for all spans.
        resource: What else is said of the process, for example `service.version` and `deployment.environment.name`.
        ratio: The share of traces that is kept whatever happens in them, 0 to 1; decided by the trace id, so alike in every process.
        slow: A request that took at least so long is kept.
        slow_turn: A turn whose caller waited at least so long is kept.
        max_segment_spans: Spans of one request or turn that may wait for its end.
        max_segments: Requests and turns at one time whose spans may wait.
        queue: Spans that may wait for the exporter.
        batch: Spans of one export.
        interval: After which fewer are exported.

    Raises:
        ConfigurationError: A value is out of range; the message names it.
    """

    service: str = "orchestrator"
    resource: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    ratio: float = 1.0
    slow: float = 2.0
    slow_turn: float = 1.5
    max_segment_spans: int = 256
    max_segments: int = 10_000
    queue: int = 4096
    batch: int = 512
    interval: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise ConfigurationError("ratio must be from 0 to 1", details={"setting": "ratio"})
        for name in ("slow", "slow_turn", "max_segment_spans", "max_segments", "queue", "batch", "interval"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(f"{name} must be a positive number", details={"setting": name})


class Tracing:
    """Records spans, judges them, and exports those that are kept.

    Nothing is global: hand `provider` to what shall write spans, or set it by `opentelemetry.trace.set_tracer_provider`, once, in your
    application.

    Args:
        exporter: `OtlpExporter`, `ConsoleExporter`, `MemoryExporter`, or any of OpenTelemetry's SDK by `SdkExporter`.
        redactor: For attributes marked as personal, for texts of unknown keys, and for messages of exceptions.
        wall: A clock, nanoseconds since the epoch.
        ticks: A clock that never goes back, nanoseconds.
    """

    def __init__(
        self,
        config: TracingConfig | None = None,
        *,
        exporter: Sink,
        redactor: Redactor | None = None,
        wall: Callable[[], int] = time.time_ns,
        ticks: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.config = config = config or TracingConfig()
        resource = {"service.name": config.service, "service.instance.id": socket.gethostname(), **config.resource}
        exporter.describe(resource)
        self._queue = ExportQueue(exporter, size=config.queue, batch=config.batch, interval=config.interval)
        rules = Rules(
            ratio=config.ratio,
            slow=config.slow,
            max_spans=config.max_segment_spans,
            max_segments=config.max_segments,
        )
        self._judge = Judge(rules, Privacy(redactor), self._queue.put, wall=wall, ticks=ticks)
        self.provider: TracerProvider = Recorder(self._judge)

    def calls(self, *, key: bytes = b"") -> CallTraces:
        """The traces of calls; `key` is shared by all processes that share calls."""
        return CallTraces(self.provider, key=key, ratio=self.config.ratio, slow_turn=self.config.slow_turn)

    def counts(self) -> Mapping[str, int]:
        """Spans that have ended, by what became of them: every one of `FATES`."""
        judge = self._judge
        own = {"sampled_out": judge.sampled_out, "segment_full": judge.segment_full, "abandoned": judge.abandoned}
        return dict.fromkeys(FATES, 0) | own | dict(self._queue.counts())

    @property
    def waiting(self) -> int:
        """Spans that wait for the exporter."""
        return self._queue.waiting

    def flush(self, seconds: float = 5.0) -> bool:
        """Export what waits; false when that was not done in time. Blocks: call it by `asyncio.to_thread` in an event loop."""
        return self._queue.flush(seconds)

    def shutdown(self, seconds: float = 5.0) -> bool:
        """Export what waits and end; what is left after `seconds` is dropped and counted, and false is returned. Blocks."""
        return self._queue.shutdown(seconds)


def recorded_trace_id() -> str:
    """The id of the trace that is sampled here, for the exemplars of `Metrics(trace_id=...)`; "" outside of every sampled span."""
    place = get_current_span().get_span_context()
    return f"{place.trace_id:032x}" if place.is_valid and place.trace_flags.sampled else ""


def failed(span: TracedWork, reason: str) -> None:
    """Mark a span as an error; `reason` is a word of a closed set, never a text that somebody said."""
    span.set_attribute("error.type", reason)
    span.set_status(StatusCode.ERROR)
