"""Requests, sockets, processes, checks, and the telemetry's own health."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator_monitoring._dashboards.boards._shapes import lines, quantiles, stack
from orchestrator_monitoring._dashboards.expressions import by, quantile, rate, share
from orchestrator_monitoring._dashboards.model import Dashboard, Limit, Panel, Query, Row

__all__ = ["runtime"]

_HTTP: Final = "orchestrator_http_requests_total"
_SECONDS: Final = "orchestrator_http_request_duration_seconds"


def runtime() -> Dashboard:
    """Requests, sockets, processes, checks, and the telemetry's own health."""
    return Dashboard(
        uid="orchestrator-runtime",
        title="Runtime",
        description="Requests, sockets, processes, checks, and the telemetry's own health.",
        rows=(
            Row("Requests", tuple(_requests())),
            Row("Health", tuple(_health())),
            Row("Processes", tuple(_processes())),
            Row("Calls and voices", tuple(_voices())),
            Row("Traces", tuple(_traces())),
        ),
    )


def _requests() -> Iterator[Panel]:
    yield stack("Requests, by route", by(_HTTP, "route"), "{{route}}", unit="reqps")
    yield lines(
        "Server errors",
        share(_HTTP + '{status=~"5.."}', _HTTP),
        "errors",
        unit="percentunit",
        limits=(Limit(0.001, "yellow"), Limit(0.01, "red")),
    )
    yield quantiles("Duration", _SECONDS, tells="Of all requests; exemplars lead to their traces.")
    yield lines("Duration, p95 by route", quantile(0.95, _SECONDS, "route"), "{{route}}", unit="s", width=12)
    yield Panel(
        title="In progress",
        queries=(
            Query("sum(orchestrator_http_requests_in_progress)", "requests"),
            Query("sum(orchestrator_websockets_open)", "WebSockets"),
        ),
        width=12,
    )


def _health() -> Iterator[Panel]:
    yield lines(
        "Components",
        'max by (component, state) (orchestrator_health_state{state!="healthy"}) == 1',
        "{{component}}: {{state}}",
        unit="short",
        tells="Shows only what is degraded or unhealthy.",
    )
    found = by('orchestrator_health_checks_total{state!="healthy"}', "component", "state")
    yield lines("Checks that found a fault", found, "{{component}}: {{state}}")
    seconds = quantile(0.95, "orchestrator_health_check_seconds", "component")
    yield lines("Duration of checks, p95", seconds, "{{component}}", unit="s")


def _processes() -> Iterator[Panel]:
    cpu = f"sum by (instance) ({rate('process_cpu_seconds_total')})"
    yield lines("CPU", cpu, "{{instance}}", unit="percentunit", tells="1 is one core.")
    yield lines("Memory", "sum by (instance) (process_resident_memory_bytes)", "{{instance}}", unit="bytes")
    files = "max by (instance) (process_open_fds / process_max_fds)"
    yield lines("Open files", files, "{{instance}}", unit="percentunit", limits=(Limit(0.8, "red"),))
    yield quantiles("Lag of the event loop", "orchestrator_loop_lag_seconds", tells="Every caller waits so long more.")
    yield quantiles("Pauses of the collector", "orchestrator_gc_pause_seconds")
    yield lines("Tasks", "sum by (instance) (orchestrator_loop_tasks)", "{{instance}}", unit="short")


def _voices() -> Iterator[Panel]:
    yield stack("Events of calls", by("orchestrator_call_events_total", "type"), "{{type}}")
    missing = by("orchestrator_call_missing_events_total", "source")
    yield lines("Events that went missing", missing, "{{source}}")
    sentences = by("orchestrator_speech_sentences_total", "voice", "result")
    yield stack("Sentences, by voice", sentences, "{{voice}}: {{result}}")


def _traces() -> Iterator[Panel]:
    yield stack(
        "Spans, by what became of them",
        by("orchestrator_trace_spans_total", "fate"),
        "{{fate}}",
        tells="Everything but exported and sampled_out is lost.",
        width=12,
    )
    yield lines("Spans that wait", "sum(orchestrator_trace_spans_waiting)", "spans", unit="short", width=12)
