"""Times HTTP requests by their routes. Pure ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from orchestrator_performance._monitor.timers import Timers

__all__ = ["TimingMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class TimingMiddleware:
    """From the request to the start of its answer, by method and route; answers of 500 and above are failures.

    Args:
        app: The application below.
        timers: Of the monitor.
        route_of: The template of the route that answers, prefixes of included routers and mounts included, from the scope. Never the path: it is what callers write.
    """

    def __init__(self, app: AsgiApp, *, timers: Timers, route_of: Callable[[Scope], str]) -> None:
        self._app = app
        self._timers = timers
        self._route_of = route_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        answered = False

        def record(*, failed: bool) -> None:
            nonlocal answered
            answered = True
            self._timers.timing("request", f"{scope['method']} {self._route_of(scope)}").record(
                perf_counter() - began, failed=failed
            )

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start" and not answered:
                record(failed=message["status"] >= 500)
            await send(message)

        try:
            await self._app(scope, receive, timed)
        except Exception:
            if not answered:
                record(failed=True)
            raise
