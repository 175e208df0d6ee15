"""Requests in process."""

from __future__ import annotations

import pytest

from orchestrator_performance.benchmarking import BenchmarkError
from orchestrator_performance.benchmarking.asgi import request


class Echo:
    """Keeps what it is asked, and answers 201."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes, bytes]] = []
        self.scopes: list[dict] = []

    async def __call__(self, scope, receive, send) -> None:
        message = await receive()
        self.scopes.append(scope)
        self.asked.append((scope["method"], scope["path"], scope["query_string"], message["body"]))
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def test_the_application_is_asked_each_time_anew():
    app = Echo()
    one = request(app, "/calls/7?full=1", method="POST", headers=[(b"x", b"y")], body=b"[]", status=201)
    await one()
    app.scopes[0]["headers"].clear()
    await one()
    assert app.asked == [("POST", "/calls/7", b"full=1", b"[]")] * 2
    assert app.scopes[1]["headers"] == [(b"host", b"api.example"), (b"x", b"y")]
    assert app.scopes[1]["raw_path"] == b"/calls/7"


async def test_an_answer_that_was_not_meant_fails_the_benchmark():
    with pytest.raises(BenchmarkError, match="GET / is answered with 201, and was to be with 200"):
        await request(Echo(), "/")()


async def test_a_host_is_kept():
    app = Echo()
    await request(app, "/", headers=[(b"host", b"other.example")], status=201)()
    assert app.scopes[0]["headers"] == [(b"host", b"other.example")]
