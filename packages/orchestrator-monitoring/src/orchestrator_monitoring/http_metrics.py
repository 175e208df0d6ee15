"""How many requests there are, how they end, and how long they take; the same of WebSockets.

What the user types:

    metrics = Metrics(HTTP_METRICS)
    app.add_middleware(HttpMetricsMiddleware, metrics=metrics)

Pure ASGI. A path is never a label: the template of its route is (`/calls/{call_id}`), or `unmatched`. Methods that HTTP does not know are `_OTHER`. The bounds of durations are those of OpenTelemetry's
semantic conventions for `http.server.request.duration`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from itertools import count
from time import perf_counter
from typing import Final

from orchestrator_monitoring._asgi import ASGIApp, Message, Receive, Scope, Send
from orchestrator_monitoring._metrics.routes import UNMATCHED, RouteTemplates
from orchestrator_monitoring.metrics import (
    AtMost,
    Counter,
    CounterChild,
    Gauge,
    GaugeChild,
    Histogram,
    HistogramChild,
    Metric,
    Metrics,
    OneOf,
)

__all__ = [
    "ABORTED",
    "HTTP_METRICS",
    "REQUESTS",
    "REQUEST_SECONDS",
    "UNMATCHED",
    "HttpMetricsMiddleware",
    "Observe",
]

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY")
_METHOD: Final = OneOf(*_METHODS, other="_OTHER")
_ROUTE: Final = AtMost(500)
ABORTED: Final = "aborted"
"""The status of a request whose handling was cancelled before it had one."""
_STATUS: Final = OneOf(*(str(status.value) for status in HTTPStatus), ABORTED)
_ERROR: Final = 500
_LIVES: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)

REQUESTS: Final = Counter(
    "orchestrator_http_requests_total",
    "HTTP requests that were answered, by how.",
    labels={"method": _METHOD, "route": _ROUTE, "status": _STATUS},
)
REQUEST_SECONDS: Final = Histogram(
    "orchestrator_http_request_duration_seconds",
    "From a request's arrival to the end of its answer.",
    unit="seconds",
    labels={"method": _METHOD, "route": _ROUTE},
)
IN_PROGRESS: Final = Gauge("orchestrator_http_requests_in_progress", "HTTP requests that are being answered.")
WEBSOCKETS: Final = Counter(
    "orchestrator_websockets_total",
    "WebSockets that were asked for; refused ones were never open, of failed ones the application raised.",
    labels={"route": _ROUTE, "outcome": OneOf("accepted", "refused", "failed")},
)
WEBSOCKETS_OPEN: Final = Gauge("orchestrator_websockets_open", "WebSockets that are open.", labels={"route": _ROUTE})
WEBSOCKET_SECONDS: Final = Histogram(
    "orchestrator_websocket_duration_seconds",
    "How long WebSockets were open.",
    unit="seconds",
    labels={"route": _ROUTE},
    buckets=_LIVES,
)
HTTP_METRICS: Final[tuple[Metric, ...]] = (
    REQUESTS,
    REQUEST_SECONDS,
    IN_PROGRESS,
    WEBSOCKETS,
    WEBSOCKETS_OPEN,
    WEBSOCKET_SECONDS,
)
"""What the middleware counts."""


Observe = Callable[[str, str, int], Callable[[float], None]]
"""Asked once for each method, template and status: who is told the durations of such requests, in seconds."""


class _InProgress:
    """How many have begun and not ended. A step of `count` is indivisible, and a quarter of what a lock costs."""

    __slots__ = ("begun", "ended")

    def __init__(self) -> None:
        self.begun = count()
        self.ended = count()

    def __call__(self) -> float:
        # In this order: what ends in between would otherwise be missing twice.
        ended, begun = repr(self.ended), repr(self.begun)
        return float(int(begun[6:-1]) - int(ended[6:-1]))


def _in_progress(gauge: GaugeChild) -> _InProgress:
    """That of the gauge: all applications with the same metrics share one."""
    shared = gauge.followed
    if not isinstance(shared, _InProgress):
        shared = _InProgress()
        gauge.follow(shared)
    return shared


_Bound = tuple[CounterChild, HistogramChild | None, Callable[[float], None] | None]


class HttpMetricsMiddleware:
    """Counts every request and WebSocket of the application below, error answers included.

    Mount it inside of what sets the trace, so that durations can carry its id.

    Args:
        app: The application below.
        metrics: Made of declarations that hold `HTTP_METRICS`.
        endless: Templates of routes whose answers go on for as long as somebody listens: counted, but without a duration.
        observe: Whoever keeps durations besides, so that no second middleware has to measure them. Not asked for
            endless answers, nor for requests that were cancelled before they had a status.

    Raises:
        ConfigurationError: `metrics` does not hold `HTTP_METRICS`.
    """

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, endless: Collection[str] = (), observe: Observe | None = None
    ) -> None:
        self.app = app
        self._requests = metrics.counter(REQUESTS)
        self._seconds = metrics.histogram(REQUEST_SECONDS)
        self._running = _in_progress(metrics.gauge(IN_PROGRESS).labels())
        self._sockets = metrics.counter(WEBSOCKETS)
        self._open = metrics.gauge(WEBSOCKETS_OPEN)
        self._lives = metrics.histogram(WEBSOCKET_SECONDS)
        self._endless = frozenset(endless)
        self._methods = {method: method for method in _METHODS}
        self._templates = RouteTemplates()
        self._observe = observe
        self._bound: dict[tuple[str, str, int], _Bound] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "websocket":
            await self._socket(scope, receive, send)
            return
        if kind != "http":
            await self.app(scope, receive, send)
            return
        status = 0

        # Not a coroutine function: handing the inner awaitable through saves one coroutine per message.
        def watched(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        began = perf_counter()
        next(self._running.begun)
        try:
            await self.app(scope, receive, watched)
        except Exception:
            status = status or _ERROR
            raise
        finally:
            next(self._running.ended)
            key = (self._methods.get(scope["method"], "_OTHER"), self._templates.of(scope), status)
            counter, histogram, tell = self._bound.get(key) or self._bind(*key)
            if histogram is None:
                counter.inc()
            else:
                seconds = perf_counter() - began
                histogram.observe_and_count(seconds, counter)
                if tell is not None:
                    tell(seconds)

    def _bind(self, method: str, route: str, status: int) -> _Bound:
        counter = self._requests.labels(method, route, str(status) if status else ABORTED)
        seconds = None if route in self._endless else self._seconds.labels(method, route)
        tell = None
        if self._observe is not None and seconds is not None and status:
            tell = self._observe(method, route, status)
        if len(self._bound) < _ROUTE.limit * len(_METHODS):
            self._bound[method, route, status] = (counter, seconds, tell)
        return counter, seconds, tell

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened = 0.0
        live: GaugeChild | None = None

        def watched(message: Message) -> Awaitable[None]:
            nonlocal opened, live
            if message["type"] == "websocket.accept" and live is None:
                opened = perf_counter()
                live = self._open.labels(self._templates.of(scope))
                live.inc()
            return send(message)

        outcome = "refused"
        try:
            await self.app(scope, receive, watched)
        except Exception:
            outcome = "failed"
            raise
        finally:
            route = self._templates.of(scope)
            if live is not None:
                live.dec()
                outcome = "accepted" if outcome == "refused" else outcome
                self._lives.labels(route).observe(perf_counter() - opened)
            self._sockets.labels(route, outcome).inc()
