"""What is counted of requests and WebSockets, without a framework; routers are in `extras`."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring.http_metrics import HTTP_METRICS, REQUESTS, HttpMetricsMiddleware
from orchestrator_monitoring.metrics import LATENCY_BUCKETS, Metrics

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Any]


class Route:
    """A route as Starlette leaves it in the scope."""

    def __init__(self, path: str) -> None:
        self.path_format = path


CALL, EVENTS = Route("/calls/{call_id}"), Route("/calls/{call_id}/events")


def measured(app: App, **how: Any) -> tuple[Metrics, HttpMetricsMiddleware]:
    metrics = Metrics(HTTP_METRICS)
    return metrics, HttpMetricsMiddleware(app, metrics=metrics, **how)


async def send(_message: dict[str, Any]) -> None:
    pass


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def ask(app: Any, path: str = "/calls/7", method: str = "GET", kind: str = "http") -> None:
    await app({"type": kind, "method": method, "path": path, "headers": []}, receive, send)


def found(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    return {tuple(each.labels.values()): each.value for each in metrics.read() if each.name == name}


def answering(status: int, route: Route | None = CALL) -> App:
    async def app(scope: Scope, _receive: Any, send: Any) -> None:
        if route is not None:
            scope["route"] = route
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def test_a_request_is_counted_by_method_route_and_status() -> None:
    metrics, app = measured(answering(201))
    for _ in range(3):
        await ask(app, method="POST")
    assert found(metrics, "orchestrator_http_requests_total") == {("POST", "/calls/{call_id}", "201"): 3}
    counts = found(metrics, "orchestrator_http_request_duration_seconds_count")
    assert counts == {("POST", "/calls/{call_id}"): 3}
    assert found(metrics, "orchestrator_http_requests_in_progress") == {(): 0}


def test_durations_have_the_bounds_of_the_semantic_conventions() -> None:
    seconds = next(each for each in HTTP_METRICS if each.name == "orchestrator_http_request_duration_seconds")
    assert seconds.buckets == LATENCY_BUCKETS == (  # type: ignore[attr-defined]
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    )  # fmt: skip


async def test_a_request_that_is_being_answered_is_in_progress() -> None:
    seen: list[float] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.append(found(metrics, "orchestrator_http_requests_in_progress")[()])
        await answering(200)(scope, receive, send)

    metrics, middleware = measured(app)
    await ask(middleware)
    assert seen == [1]


async def test_two_applications_may_share_their_metrics() -> None:
    metrics, first = measured(answering(200))
    second = HttpMetricsMiddleware(answering(200), metrics=metrics)
    seen: list[float] = []

    async def outer(scope: Scope, _receive: Any, _send: Any) -> None:
        await ask(second)
        seen.append(found(metrics, "orchestrator_http_requests_in_progress")[()])
        await answering(200)(scope, _receive, _send)

    first.app = outer
    await ask(first)
    assert seen == [1]
    assert found(metrics, "orchestrator_http_requests_total") == {("GET", "/calls/{call_id}", "200"): 2}
    assert found(metrics, "orchestrator_http_requests_in_progress") == {(): 0}


async def test_a_slow_request_shows_its_trace() -> None:
    metrics = Metrics(HTTP_METRICS, trace_id=lambda: "0af7651916cd43dd8448eb211c80319c")
    await ask(HttpMetricsMiddleware(answering(200), metrics=metrics))
    assert b'trace_id="0af7651916cd43dd8448eb211c80319c"' in metrics.scrape("application/openmetrics-text").body


async def test_an_exception_is_a_500_and_goes_on() -> None:
    async def app(scope: Scope, _receive: Any, _send: Any) -> None:
        scope["route"] = CALL
        raise LookupError("nobody caught it")

    metrics, middleware = measured(app)
    with pytest.raises(LookupError):
        await ask(middleware)
    assert found(metrics, "orchestrator_http_requests_total") == {("GET", "/calls/{call_id}", "500"): 1}


async def test_an_exception_after_the_answer_began_keeps_the_status_that_the_client_saw() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answering(200)(scope, receive, send)
        raise LookupError("too late")

    metrics, middleware = measured(app)
    with pytest.raises(LookupError):
        await ask(middleware)
    assert found(metrics, "orchestrator_http_requests_total") == {("GET", "/calls/{call_id}", "200"): 1}


async def test_a_request_that_is_cancelled_is_no_error() -> None:
    async def app(scope: Scope, _receive: Any, _send: Any) -> None:
        scope["route"] = CALL
        await asyncio.sleep(60)

    metrics, middleware = measured(app)
    task = asyncio.create_task(ask(middleware))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert found(metrics, "orchestrator_http_requests_total") == {("GET", "/calls/{call_id}", "aborted"): 1}
    assert found(metrics, "orchestrator_http_requests_in_progress") == {(): 0}


async def test_an_answer_without_end_has_no_duration() -> None:
    metrics, app = measured(answering(200, EVENTS), endless={"/calls/{call_id}/events"})
    await ask(app)
    assert found(metrics, "orchestrator_http_requests_total") == {("GET", "/calls/{call_id}/events", "200"): 1}
    assert found(metrics, "orchestrator_http_request_duration_seconds_count") == {}


async def test_whoever_keeps_durations_besides_is_told_each_and_asked_once() -> None:
    asked: list[tuple[str, str, int]] = []
    told: list[tuple[int, float]] = []

    def observe(method: str, route: str, status: int) -> Callable[[float], None]:
        asked.append((method, route, status))
        return lambda seconds: told.append((status, seconds))

    metrics, middleware = measured(answering(200), observe=observe, endless={EVENTS.path_format})
    for status, route, method in (
        (200, CALL, "GET"),
        (200, CALL, "GET"),
        (503, CALL, "GET"),
        (200, EVENTS, "GET"),
        (200, CALL, "WHAT"),
    ):
        middleware.app = answering(status, route)
        await ask(middleware, method=method)
    assert asked == [("GET", CALL.path_format, 200), ("GET", CALL.path_format, 503), ("_OTHER", CALL.path_format, 200)]
    assert [status for status, _ in told] == [200, 200, 503, 200]
    [sum_of] = [
        each.value
        for each in metrics.read()
        if each.name.endswith("_duration_seconds_sum") and each.labels["method"] == "GET"
    ]
    assert sum_of == pytest.approx(sum(seconds for _, seconds in told[:3]))


async def test_whoever_keeps_durations_hears_nothing_of_a_request_that_was_cancelled() -> None:
    async def app(scope: Scope, _receive: Any, _send: Any) -> None:
        scope["route"] = CALL
        await asyncio.sleep(60)

    asked: list[object] = []
    _, middleware = measured(app, observe=lambda *what: asked.append(what))
    task = asyncio.create_task(ask(middleware))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asked == []


async def test_ten_thousand_random_requests_make_no_series_of_their_own() -> None:
    dice = random.Random(1)

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        route = dice.choice([CALL, EVENTS, None])
        await answering(dice.choice([200, 404, 500, 299, 777]), route)(scope, receive, send)

    metrics, middleware = measured(app)
    for _ in range(10_000):
        path = "/" + "".join(dice.choices(string.printable, k=20))
        method = dice.choice(["GET", "POST", "".join(dice.choices(string.ascii_uppercase, k=6)), "get"])
        await ask(middleware, path, method)
    counted = found(metrics, "orchestrator_http_requests_total")
    assert {method for method, _, _ in counted} == {"GET", "POST", "_OTHER"}
    assert {route for _, route, _ in counted} == {"/calls/{call_id}", "/calls/{call_id}/events", "unmatched"}
    assert {status for _, _, status in counted} == {"200", "404", "500", "other"}
    assert sum(counted.values()) == 10_000
    assert len(middleware._bound) <= 3 * 3 * 5


async def test_routes_beyond_their_bound_are_counted_together() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answering(200, Route(scope["path"]))(scope, receive, send)

    metrics, middleware = measured(app)
    for number in range(600):
        await ask(middleware, f"/route-{number}")
    counted = found(metrics, "orchestrator_http_requests_total")
    assert len(counted) == 501
    assert counted["GET", "other", "200"] == 100


def socket(*, accepts: bool, fails: bool = False) -> App:
    async def app(scope: Scope, _receive: Any, send: Any) -> None:
        scope["route"] = CALL
        if accepts:
            await send({"type": "websocket.accept"})
        if fails:
            raise LookupError("nobody caught it")
        await send({"type": "websocket.close", "code": 1000})

    return app


@pytest.mark.parametrize(
    ("app", "outcome", "lives"),
    [
        (socket(accepts=True), "accepted", 1),
        (socket(accepts=False), "refused", 0),
        (socket(accepts=True, fails=True), "failed", 1),
        (socket(accepts=False, fails=True), "failed", 0),
    ],
)
async def test_a_websocket_is_counted_by_what_became_of_it(app: App, outcome: str, lives: int) -> None:
    metrics, middleware = measured(app)
    try:
        await ask(middleware, kind="websocket")
    except LookupError:
        assert outcome == "failed"
    assert found(metrics, "orchestrator_websockets_total") == {("/calls/{call_id}", outcome): 1}
    assert sum(found(metrics, "orchestrator_websocket_duration_seconds_count").values()) == lives
    assert sum(found(metrics, "orchestrator_websockets_open").values()) == 0
    assert found(metrics, "orchestrator_http_requests_total") == {}


async def test_an_open_websocket_is_open() -> None:
    opened = asyncio.Event()

    async def app(scope: Scope, _receive: Any, send: Any) -> None:
        scope["route"] = CALL
        await send({"type": "websocket.accept"})
        opened.set()
        await asyncio.sleep(60)

    metrics, middleware = measured(app)
    task = asyncio.create_task(ask(middleware, kind="websocket"))
    await opened.wait()
    assert found(metrics, "orchestrator_websockets_open") == {("/calls/{call_id}",): 1}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert found(metrics, "orchestrator_websockets_open") == {("/calls/{call_id}",): 0}


async def test_what_is_neither_is_passed_through() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    metrics, middleware = measured(app)
    await middleware({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
    assert found(metrics, "orchestrator_http_requests_total") == {}


def test_metrics_that_do_not_hold_the_declarations_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=REQUESTS.name):
        HttpMetricsMiddleware(answering(200), metrics=Metrics())
