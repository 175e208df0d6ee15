"""Requests to an ASGI application in process: no server, no sockets, only the application's own work.

What the user types:

    compare("a request", baseline=Contender("bare", request(bare, "/calls/7")), contenders=[Contender("ours", request(ours, "/calls/7"))])
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from orchestrator_performance.benchmarking._errors import BenchmarkError

__all__ = ["ASGIApp", "request"]

Message = MutableMapping[str, Any]
ASGIApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


def request(
    app: ASGIApp,
    path: str,
    *,
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    body: bytes = b"",
    status: int = 200,
) -> Callable[[], Awaitable[None]]:
    """A contender that sends the application one request, and reads its answer to the end.

    Args:
        app: The application.
        path: With its query, as in a request line.
        method: Of HTTP.
        headers: Names in lower case; `host` is `api.example` unless it is among them.
        body: Sent in one piece.
        status: What the answer has to be; with another one the contender raises `BenchmarkError`.
    """
    given = list(headers)
    if not any(name == b"host" for name, _ in given):
        given.insert(0, (b"host", b"api.example"))
    plain, _, query = path.partition("?")
    raw, query_string = plain.encode("ascii"), query.encode("ascii")

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != status:
            raise BenchmarkError(f"{method} {path} is answered with {message['status']}, and was to be with {status}")

    def call() -> Awaitable[None]:
        return app(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": plain,
                "raw_path": raw,
                "query_string": query_string,
                "root_path": "",
                # Applications may write into both.
                "headers": list(given),
                "state": {},
                "client": ("192.0.2.1", 1000),
                "server": ("api.example", 80),
            },
            receive,
            send,
        )

    return call
