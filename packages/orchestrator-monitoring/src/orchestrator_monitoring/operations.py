"""What a port of its own serves, for scrapers and probes that carry no credentials: `/metrics` and the answers about health.

    app = OperationsApp(metrics=metrics, health=health)
    uvicorn.Config(app, host="10.0.0.7", port=9464)

Pure ASGI. It asks nobody who they are: let it listen where only those can reach it who may read it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Final

from orchestrator_kernel.ports import Json
from orchestrator_monitoring._asgi import Receive, Scope, Send
from orchestrator_monitoring.health import MEDIA_TYPE, Health, HealthReport
from orchestrator_monitoring.metrics import Metrics

__all__ = ["OperationsApp"]

_WORTH_PACKING: Final = 1400
_NOTHING: Final = (
    404,
    b"text/plain; charset=utf-8",
    b"There is /metrics, /health/live, /health/ready and /health/startup.\n",
)


class OperationsApp:
    """An ASGI application for a private port.

    Args:
        metrics: Served at `path`.
        health: Served at `/health/live`, `/health/ready` and `/health/startup`; None serves no health.
        path: Where metrics are scraped.
        version: Told with every answer about health.
    """

    def __init__(
        self, *, metrics: Metrics, health: Health | None = None, path: str = "/metrics", version: str = ""
    ) -> None:
        self._metrics = metrics
        self._health = health
        self._path = path
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _alive(receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        packed: list[tuple[bytes, bytes]] = []
        if scope["method"] not in {"GET", "HEAD"}:
            status, media_type, body = 405, b"text/plain; charset=utf-8", b"Only GET and HEAD.\n"
            packed = [(b"allow", b"GET, HEAD")]
        else:
            status, media_type, body = await self._answer(scope["path"], headers)
            if "gzip" in headers.get(b"accept-encoding", "") and len(body) > _WORTH_PACKING:
                body, packed = gzip.compress(body, compresslevel=1), [(b"content-encoding", b"gzip")]
        head = [
            (b"content-type", media_type),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": [*head, *packed]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, path: str, headers: Mapping[bytes, str]) -> tuple[int, bytes, bytes]:
        if path == self._path:
            scrape = await self._metrics.scrape_aside(headers.get(b"accept", ""))
            return 200, scrape.content_type.encode(), scrape.body
        if self._health is None:
            return _NOTHING
        if path == "/health/live":
            return self._told(self._health.live())
        if path == "/health/ready":
            return self._told(await self._health.ready())
        if path == "/health/startup":
            return self._told(await self._health.started())
        return _NOTHING

    def _told(self, report: HealthReport) -> tuple[int, bytes, bytes]:
        document: dict[str, Json] = report.document(version=self._version)
        return report.http_status, MEDIA_TYPE.encode(), json.dumps(document).encode()


async def _alive(receive: Receive, send: Send) -> None:
    """The lifespan of an application that has nothing to start."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
