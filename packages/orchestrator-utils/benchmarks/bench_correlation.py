"""What correlation and trace headers cost a request, over the same FastAPI application without them."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from fastapi import FastAPI

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main
from orchestrator_performance.benchmarking.asgi import request
from orchestrator_utils.correlation import CorrelationMiddleware
from orchestrator_utils.error_handler import ErrorMiddleware

LIMIT = Gate(at_most=1.15)
BROWSER = [
    (b"host", b"api.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"authorization", b"Bearer 0123456789abcdef0123456789abcdef"),
    (b"x-forwarded-for", b"192.0.2.1"),
]
TRACED = [
    *BROWSER,
    (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    (b"x-correlation-id", b"7d3f2c1e9a8b4d5f8e6c7a9b0d1e2f3a"),
]


def application(*middleware: type) -> FastAPI:
    app = FastAPI()

    @app.get("/calls/{number}")
    async def call(number: int) -> dict[str, int]:
        return {"number": number}

    for each in middleware:
        app.add_middleware(each)
    return app


def measured(name: str, headers: list[tuple[bytes, bytes]]) -> Report:
    def contender(name: str, *middleware: type) -> Contender:
        return Contender(name, request(application(*middleware), "/calls/7", headers=headers))

    return compare(
        name,
        baseline=contender("bare FastAPI"),
        contenders=[
            contender("correlation", CorrelationMiddleware),
            contender("errors and correlation", ErrorMiddleware, CorrelationMiddleware),
        ],
        gates={"correlation": LIMIT},
        seconds=6,
    )


def ids_come_in() -> Report:
    return measured("a request that brings traceparent and X-Correlation-ID", TRACED)


def ids_are_made() -> Report:
    return measured("a request that brings neither", BROWSER)


def benches() -> Iterable[Bench]:
    yield ids_come_in
    yield ids_are_made


if __name__ == "__main__":
    sys.exit(run_main(benches))
