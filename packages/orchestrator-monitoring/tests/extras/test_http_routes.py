"""The template of a route is found whatever way FastAPI and Starlette have put it together."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from orchestrator_monitoring.http_metrics import HTTP_METRICS, HttpMetricsMiddleware
from orchestrator_monitoring.metrics import Metrics


def application(metrics: Metrics) -> FastAPI:
    app, below, router = FastAPI(), FastAPI(), APIRouter(prefix="/v1")

    @router.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    @router.websocket("/sockets/{name}")
    async def sockets(websocket: WebSocket, name: str) -> None:
        await websocket.accept()
        await websocket.close()

    @below.get("/deep/{depth:int}")
    async def deep(depth: int) -> int:
        return depth

    async def plain(_request: object) -> PlainTextResponse:
        return PlainTextResponse("plain")

    app.include_router(router, prefix="/of/{tenant}")
    app.include_router(router)
    below.include_router(router, prefix="/below")
    app.mount("/mounted/{house}", below)
    app.router.routes.append(Mount("/files", routes=[Route("/{path:path}/raw", plain)]))
    app.add_middleware(HttpMetricsMiddleware, metrics=metrics)
    return app


async def ask(app: Any, path: str, method: str = "GET", kind: str = "http") -> None:
    inbox = [{"type": "websocket.connect"}] if kind == "websocket" else []

    async def receive() -> dict[str, Any]:
        return inbox.pop() if inbox else {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None:
        pass

    scope = {"type": kind, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [], "root_path": ""}
    scope |= {"scheme": "http", "server": ("a", 1), "client": ("a", 1), "subprotocols": []}
    await app(scope | ({"method": method} if kind == "http" else {}), receive, send)


@pytest.mark.parametrize(
    ("path", "template", "status"),
    [
        ("/v1/items/7", "/v1/items/{item}", "200"),
        ("/of/north/v1/items/7", "/of/{tenant}/v1/items/{item}", "200"),
        ("/mounted/south/deep/7", "/mounted/{house}/deep/{depth}", "200"),
        ("/mounted/south/below/v1/items/7", "/mounted/{house}/below/v1/items/{item}", "200"),
        ("/mounted/mounted/deep/7", "/mounted/{house}/deep/{depth}", "200"),
        ("/files/a/b/c/raw", "/files/{path}/raw", "200"),
        ("/mounted/south/nothing", "unmatched", "404"),
        ("/nothing", "unmatched", "404"),
    ],
)
async def test_a_request_is_counted_by_its_template(path: str, template: str, status: str) -> None:
    metrics = Metrics(HTTP_METRICS)
    app = application(metrics)
    await ask(app, path)
    await ask(app, path)
    counted = [each for each in metrics.read() if each.name == "orchestrator_http_requests_total"]
    assert [(each.labels["route"], each.labels["status"], each.value) for each in counted] == [(template, status, 2)]


async def test_a_method_that_the_route_does_not_know_is_counted_at_the_route() -> None:
    metrics = Metrics(HTTP_METRICS)
    await ask(application(metrics), "/v1/items/7", "DELETE")
    counted = [each for each in metrics.read() if each.name == "orchestrator_http_requests_total"]
    assert [(each.labels["route"], each.labels["status"]) for each in counted] == [("/v1/items/{item}", "405")]


@pytest.mark.parametrize(
    ("path", "template"),
    [("/v1/sockets/a", "/v1/sockets/{name}"), ("/of/north/v1/sockets/a", "/of/{tenant}/v1/sockets/{name}")],
)
async def test_a_websocket_is_counted_by_its_template(path: str, template: str) -> None:
    metrics = Metrics(HTTP_METRICS)
    await ask(application(metrics), path, kind="websocket")
    counted = [each for each in metrics.read() if each.name == "orchestrator_websockets_total"]
    assert [(each.labels["route"], each.labels["outcome"]) for each in counted] == [(template, "accepted")]
