"""The private port: scrapes and probes without credentials."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from orchestrator_monitoring.health import Check, Finding, Health, HealthState, Need
from orchestrator_monitoring.metrics import AtMost, Counter, Metrics
from orchestrator_monitoring.operations import OperationsApp

ROOMS = Counter("rooms_total", "Rooms.", labels={"room": AtMost(500)})


async def ask(app: OperationsApp, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await app({"type": "http", "method": method, "path": path, "headers": pairs}, receive, send)
    start, body = sent
    return start["status"], {key.decode(): value.decode() for key, value in start["headers"]}, body["body"]


def made(*, sick: bool = False) -> OperationsApp:
    metrics, health = Metrics([ROOMS]), Health()
    for number in range(100):
        metrics.counter(ROOMS).labels(str(number)).inc()

    async def probe() -> Finding:
        return Finding(state=HealthState.UNHEALTHY if sick else HealthState.HEALTHY, reason="gone" if sick else "")

    health.add(Check(component="journal", probe=probe, need=Need.REQUIRED))
    return OperationsApp(metrics=metrics, health=health, version="1.2")


async def test_a_scraper_gets_the_format_that_it_asks_for_packed_if_it_likes() -> None:
    app = made()
    status, headers, body = await ask(app, "/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'rooms_total{room="7"} 1.0' in body
    _, headers, packed = await ask(
        app, "/metrics", accept="application/openmetrics-text;version=1.0.0", accept_encoding="gzip"
    )
    assert headers["content-encoding"] == "gzip"
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert gzip.decompress(packed).endswith(b"# EOF\n")


@pytest.mark.parametrize("path", ["/health/ready", "/health/startup"])
@pytest.mark.parametrize("sick", [False, True])
async def test_probes_are_answered(path: str, *, sick: bool) -> None:
    status, headers, body = await ask(made(sick=sick), path)
    assert status == (503 if sick else 200)
    assert headers["content-type"] == "application/health+json"
    assert headers["cache-control"] == "no-store"
    assert json.loads(body)["status"] == ("fail" if sick else "pass")
    assert json.loads(body)["releaseId"] == "1.2"


async def test_a_process_whose_journal_is_gone_lives() -> None:
    status, _, body = await ask(made(sick=True), "/health/live")
    assert (status, json.loads(body)["status"]) == (200, "pass")


async def test_anything_else_is_not_there() -> None:
    app = made()
    assert (await ask(app, "/"))[0] == 404
    status, headers, _ = await ask(app, "/metrics", "POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    status, headers, body = await ask(app, "/metrics", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 1000
    assert (await ask(OperationsApp(metrics=Metrics()), "/health/live"))[0] == 404


async def test_a_server_may_start_and_stop_it() -> None:
    inbox, sent = ["lifespan.shutdown", "lifespan.startup"], []

    async def receive() -> dict[str, Any]:
        return {"type": inbox.pop()}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await made()({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
