"""Driving an ASGI application in process, message by message."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator_utils.logging_adapter import LogConfig, configure


@dataclass
class Exchange:
    """What an application sent, and what it raised."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    raised: Exception | None = None
    scope: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return next(message["status"] for message in self.sent if message["type"].endswith("response.start"))

    @property
    def headers(self) -> dict[str, str]:
        pairs = next(m["headers"] for m in self.sent if m["type"].endswith(("response.start", "accept")))
        found = {name.decode(): value.decode() for name, value in pairs}
        assert len(found) == len(pairs), f"a header is repeated: {pairs}"
        return found

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent if message["type"].endswith("response.body"))

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def close(self) -> tuple[int, str]:
        message = next(message for message in self.sent if message["type"] == "websocket.close")
        return message["code"], message["reason"]


async def run(app: Any, scope: dict[str, Any], incoming: Sequence[dict[str, Any]]) -> Exchange:
    exchange, waiting = Exchange(scope=scope), list(incoming)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        exchange.sent.append(message)

    try:
        async with asyncio.timeout(10):
            await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - tests look at it
        exchange.raised = error
    return exchange


def header_pairs(headers: Sequence[tuple[str, str]] | dict[str, str]) -> list[tuple[bytes, bytes]]:
    pairs = headers.items() if isinstance(headers, dict) else headers
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs]


@pytest.fixture
def http() -> Callable[..., Any]:
    async def drive(app: Any, path: str = "/", method: str = "GET", headers: Any = (), body: bytes = b"") -> Exchange:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path.partition("?")[0],
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": path.partition("?")[2].encode(),
            "root_path": "",
            "headers": header_pairs(headers),
            "client": ("192.0.2.1", 1000),
            "server": ("api.example", 80),
        }
        return await run(app, scope, [{"type": "http.request", "body": body, "more_body": False}])

    return drive


@pytest.fixture
def websocket() -> Callable[..., Any]:
    async def drive(
        app: Any, path: str = "/", headers: Any = (), messages: Sequence[dict[str, Any]] = (), *, denial: bool = False
    ) -> Exchange:
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "scheme": "ws",
            "path": path.partition("?")[0],
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": path.partition("?")[2].encode(),
            "root_path": "",
            "headers": header_pairs(headers),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}} if denial else {},
        }
        return await run(app, scope, [{"type": "websocket.connect"}, *messages])

    return drive


class Log:
    """What was logged, line by line."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue().decode()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]


@pytest.fixture
def log() -> Iterator[Log]:
    """The process logs as JSON into memory, everything from DEBUG, through the redactor given to `configure` (none here)."""
    found = Log()
    quiet = {"asyncio": "WARNING"}
    with configure(LogConfig(level="DEBUG", format="json", levels=quiet), stream=found.stream):
        yield found


@pytest.fixture
def make_log() -> type[Log]:
    return Log
