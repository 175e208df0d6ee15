"""What the security headers cost, beside what a `BaseHTTPMiddleware` that sets the same ones costs."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, acompare, run_main
from orchestrator_security._asgi import Message, Receive, Scope, Send
from orchestrator_security.headers_middleware import HeadersMiddleware, api, web_page

SCOPE: Scope = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "scheme": "https",
    "path": "/calls",
    "raw_path": b"/calls",
    "query_string": b"",
    "headers": [(b"host", b"calls.example")],
}


class Based(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        for name, value in api().headers():
            response.headers[name] = value
        return response


async def headers() -> Report:
    """Precomputed bytes on an answer of a bare application."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        pass

    ours, nonced, based = HeadersMiddleware(app), HeadersMiddleware(app, policy=web_page()), Based(app)
    return await acompare(
        "one answer with all headers",
        baseline=Contender("BaseHTTPMiddleware", lambda: based(dict(SCOPE), receive, send)),
        contenders=[
            Contender("HeadersMiddleware", lambda: ours(dict(SCOPE), receive, send)),
            Contender("HeadersMiddleware with nonces", lambda: nonced(dict(SCOPE), receive, send)),
            Contender("the application alone", lambda: app(dict(SCOPE), receive, send)),
        ],
        gates={"HeadersMiddleware": Gate(at_most=0.1), "HeadersMiddleware with nonces": Gate(at_most=0.15)},
    )


def benches() -> Iterable[Bench]:
    return [headers]


if __name__ == "__main__":
    sys.exit(run_main(benches))
