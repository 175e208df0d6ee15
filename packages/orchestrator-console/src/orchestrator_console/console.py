"""The console: an ASGI application over ports.

What the user types:

    console = Console(sign_in=sign_in, calls=calls, alerts=alerts, health=health)   # what is left out is not on the page
    app.mount("/console", console.app)
    ...
    console.close()     # when the server is to end: pages that are open would keep it
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from orchestrator_console._actions import AlertActions
from orchestrator_console._board import Board, Sources
from orchestrator_console._hub import Hub
from orchestrator_console._pages import Pages
from orchestrator_console._parts import NotSignedIn, Parts, base_of
from orchestrator_console._rendering import Asset, Renderer, load_assets
from orchestrator_console._sign_in import SignInPages, login_url
from orchestrator_console._streams import Streams
from orchestrator_console._test_calls import CallActions
from orchestrator_console._web import SecureHeaders
from orchestrator_console.config import ConsoleConfig
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.models import Problem
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_kernel.ports.operations import (
    Alerts,
    AuditReader,
    BrowserSignIn,
    HealthReader,
    LiveCalls,
    ObjectiveReader,
    PolicyReader,
    TrialCalls,
)

__all__ = ["FORM_PATHS", "PUBLIC_PATHS", "STREAM_PATHS", "Console"]

Handler = Callable[[Request], Awaitable[Response]]

PUBLIC_PATHS: Final = frozenset({"/login", "/login/code", "/static/console.css", "/static/icon.svg"})
"""What has to be open for somebody to sign in, below the console's own path: for an application with a gate in front of it."""

FORM_PATHS: Final = frozenset({"/login", "/login/code"})
"""Where forms are sent instead of JSON."""

STREAM_PATHS: Final = frozenset({"/events", "/calls/{call_id}/events", "/test-call/{call_id}/line"})
"""Routes whose answers go on for as long as a page is open: for an application that measures how long answers take."""


class Console:
    """The operators' page. A port that is not given has no part on the page.

    Args:
        sign_in: Knows who looks, and lets people in.
        calls: The calls and what is said in them.
        health: The health checks.
        objectives: The service level objectives.
        alerts: The alerts.
        policies: Circuit breakers, lines and rate limits.
        audit: What was recorded.
        test_calls: Places calls from the browser.
        config: How it looks, and how often it asks.
        clock: Ages are counted by it.
    """

    def __init__(
        self,
        *,
        sign_in: BrowserSignIn,
        calls: LiveCalls | None = None,
        health: HealthReader | None = None,
        objectives: ObjectiveReader | None = None,
        alerts: Alerts | None = None,
        policies: PolicyReader | None = None,
        audit: AuditReader | None = None,
        test_calls: TrialCalls | None = None,
        config: ConsoleConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        config, clock = config or ConsoleConfig(), clock or SystemClock()
        sources = Sources(
            config, clock, alerts=alerts, health=health, objectives=objectives, policies=policies, audit=audit
        )
        self._assets = load_assets()
        self._parts = Parts(
            config=config,
            clock=clock,
            sign_in=sign_in,
            calls=calls,
            alerts=alerts,
            trial_calls=test_calls,
            sources=sources,
            board=Board(config, calls, sources),
            hub=Hub(calls),
            renderer=Renderer(config, clock, self._assets),
        )
        self.app = self._make_app()

    def close(self) -> None:
        """End the open pages, and those that come later; they say so and wait for the next process."""
        self._parts.hub.close()

    def _make_app(self) -> Starlette:
        pages, sign_in, streams = Pages(self._parts), SignInPages(self._parts), Streams(self._parts)
        alerts, calls = AlertActions(self._parts), CallActions(self._parts)
        routes = [
            *_route("/", get=pages.overview),
            *_route("/events", get=streams.overview),
            *_route("/calls/{call_id}", get=pages.call),
            *_route("/calls/{call_id}/events", get=streams.call),
            *_route("/test-call", get=pages.test_call, post=calls.place),
            *_route("/test-call/{call_id}/line", get=calls.listen),
            *_route("/test-call/{call_id}/say", post=calls.say),
            *_route("/test-call/{call_id}/press", post=calls.press),
            *_route("/test-call/{call_id}/hang-up", post=calls.hang_up),
            *_route("/alerts/acknowledge", post=alerts.acknowledge),
            *_route("/alerts/silence", post=alerts.silence),
            *_route("/login", get=sign_in.form, post=sign_in.password),
            *_route("/login/code", post=sign_in.code),
            *_route("/sign-out", post=sign_in.out),
            *_route("/static/{name}", get=self._asset),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(SecureHeaders)],
            exception_handlers={
                NotSignedIn: self._not_signed_in,
                OrchestratorError: self._refuse,
                HTTPException: self._refuse,
            },
        )

    async def _asset(self, request: Request) -> Response:
        asset: Asset | None = self._assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        # The address holds the version, so what is kept is never outdated.
        kept = request.query_params.get("v") == asset.version
        control = "public, max-age=31536000, immutable" if kept else "no-cache"
        headers = {"cache-control": control, "etag": f'"{asset.version}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    async def _not_signed_in(self, request: Request, error: Exception) -> Response:
        if request.method == "GET" and _wants_page(request):
            return RedirectResponse(login_url(request), 303)
        return await self._refuse(request, error)

    async def _refuse(self, request: Request, error: Exception) -> Response:
        if isinstance(error, OrchestratorError):
            status, code, words = error.status, error.code, error.message
        else:
            status = error.status_code if isinstance(error, HTTPException) else 500
            code, words = "not_found", "There is no such page."
        if _wants_page(request):
            values: dict[str, object] = {"status": status, "words": words}
            page = self._parts.renderer.render("message.html", base_of(request), values)
            return HTMLResponse(page, status)
        problem = Problem(title=code.replace("_", " ").capitalize(), status=status, code=code, detail=words)
        headers: dict[str, str] = {}
        if isinstance(error, OrchestratorError) and error.retry_after is not None:
            headers["retry-after"] = str(max(1, round(error.retry_after)))
        return JSONResponse(problem.as_dict(), status, headers, "application/problem+json")


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _route(path: str, **handlers: Handler) -> list[Route]:
    return [Route(path, handler, methods=[method.upper()]) for method, handler in handlers.items()]
