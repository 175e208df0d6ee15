"""An ASGI application asked without a network, message by message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Headers = Sequence[tuple[str, str]]


@dataclass
class Reply:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    chunks_read: int = 0
    closed: int | None = None

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def problem(self) -> dict[str, Any]:
        assert self.header("content-type") == "application/problem+json"
        return json.loads(self.body)


def scope_of(
    path: str = "/",
    *,
    method: str = "POST",
    headers: Headers = (),
    query: str = "",
    kind: str = "http",
    http: str = "1.1",
) -> dict[str, Any]:
    return {
        "type": kind,
        "http_version": http,
        **({"method": method} if kind == "http" else {}),
        "scheme": "https" if kind == "http" else "wss",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


async def ask(app: Any, scope: dict[str, Any], chunks: Iterable[bytes] = ()) -> Reply:
    """Send the chunks one by one, as the application asks for them."""
    reply = Reply()
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        if scope["type"] == "websocket":
            return {"type": "websocket.connect"}
        if not waiting and reply.chunks_read:
            return {"type": "http.disconnect"}
        reply.chunks_read += 1
        chunk = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] in {"http.response.start", "websocket.accept"}:
            reply.status = message.get("status", 101)
            reply.headers = [
                (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in message.get("headers", [])
            ]
        elif message["type"] == "http.response.body":
            reply.body += message.get("body", b"")
        elif message["type"] == "websocket.close":
            reply.closed = message["code"]

    await app(scope, receive, send)
    return reply


def json_headers(body: bytes, *more: tuple[str, str], kind: str = "application/json") -> Headers:
    return [("content-type", kind), ("content-length", str(len(body))), *more]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body it got."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/octet-stream")]}
    )
    await send({"type": "http.response.body", "body": body})
