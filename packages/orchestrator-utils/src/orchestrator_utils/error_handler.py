"""Every error of every route as a problem document (RFC 9457), and its full story in the log under the same correlation id.

What the user types: `install(app)` for FastAPI or Starlette, or `ErrorMiddleware(app)` around any other ASGI application; and
`responses=problem_responses(AuthenticationError, 404)` on a route, so that its OpenAPI entry says what may come back.

>>> list(problem_responses(404))
[404]
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Final

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_utils._asgi import ASGIApp, Message, Receive, Scope, Send
from orchestrator_utils._context import ids_of
from orchestrator_utils._openapi import problem_responses, with_problems
from orchestrator_utils._problems import Answer, ProblemConfig, describe, is_loaded_kind, problem_type, underlying
from orchestrator_utils._trace_context import new_id

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import HTTPConnection

__all__ = ["ErrorMiddleware", "ProblemConfig", "install", "problem_responses", "problem_type"]

logger = logging.getLogger(__name__)

# Set on a scope once its error is in the log, so that no second layer logs it again.
_LOGGED: Final = "orchestrator.error_logged"

_POLICY_VIOLATION: Final = 1008
_INTERNAL_ERROR: Final = 1011
_TRY_AGAIN_LATER: Final = 1013


class ErrorMiddleware:
    """Answers what no layer below has answered: any error becomes a problem document, or a close code on a WebSocket.

    An error after the answer began cannot be told any more: it is logged and raised again, so that the server cuts the connection
    and the client sees a broken answer instead of a short one; after the answer ended it is logged. On a WebSocket the code is 1008 for an error of the client, 1013
    for one that a retry may cure, 1011 for ours; the reason is the error's code. Before the handshake the client gets the
    problem document itself where the server can send one, and a refused handshake elsewhere.

    Args:
        app: The application below.
        config: Statuses that differ from what the errors suggest, and the challenge of a 401.
    """

    def __init__(self, app: ASGIApp, *, config: ProblemConfig | None = None) -> None:
        self.app = app
        self._config = config or ProblemConfig()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = ended = False

        def watched_send(message: Message) -> Awaitable[None]:
            nonlocal started, ended
            if message["type"] == "http.response.start":
                started = True
            elif not message.get("more_body", False):
                ended = True
            return send(message)

        try:
            await self.app(scope, receive, watched_send)
        except Exception as error:
            if _client_left(error):
                logger.debug("client left before the answer")
                return
            response = _respond_to(error, scope, self._config, begun=started)
            if not started:
                await response(scope, receive, send)
            elif not ended:
                raise

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = closed = False

        async def watched_receive() -> Message:
            nonlocal closed
            message = await receive()
            closed = closed or message["type"] == "websocket.disconnect"
            return message

        def watched_send(message: Message) -> Awaitable[None]:
            nonlocal accepted, closed
            accepted = accepted or message["type"] == "websocket.accept"
            closed = closed or message["type"] in {"websocket.close", "websocket.http.response.start"}
            return send(message)

        try:
            await self.app(scope, watched_receive, watched_send)
        except Exception as error:  # noqa: BLE001 - this is the place where every error gets its answer
            if _client_left(error):
                logger.debug("client left the websocket")
                return
            response = _respond_to(error, scope, self._config)
            if closed:
                return
            if not accepted and "websocket.http.response" in (scope.get("extensions") or {}):
                await response(scope, receive, send)
            else:
                code, reason = _close_of(error, response.answer)
                await send({"type": "websocket.close", "code": code, "reason": reason})


def install(app: Starlette, *, config: ProblemConfig | None = None) -> None:
    """Make every error of a FastAPI or Starlette application a problem document, and its OpenAPI document say so.

    Adds `ErrorMiddleware`; add `CorrelationMiddleware` after this call, so that it lies outside. Errors of middleware that is added
    later still get their problem document, but the server logs them a second time. Handlers that the application registers
    for a status or an exception class of its own keep their say.
    """
    settings = config or ProblemConfig()

    async def answer(connection: HTTPConnection, error: Exception) -> _ProblemResponse:
        if connection.scope["type"] == "websocket" or _client_left(error):
            raise error  # ErrorMiddleware knows how far the handshake got, and who is still there
        return _respond_to(error, connection.scope, settings)

    for kind in _handled_kinds(app):
        app.add_exception_handler(kind, answer)  # type: ignore[arg-type]  # the response may be any ASGI application
    app.add_middleware(ErrorMiddleware, config=settings)


def _handled_kinds(app: Starlette) -> list[type[Exception]]:
    """What the framework would answer in its own form; for FastAPI the OpenAPI document is corrected on the way."""
    from starlette.exceptions import HTTPException  # noqa: PLC0415 - an extra

    kinds: list[type[Exception]] = [Exception, OrchestratorError, HTTPException]
    if "fastapi" in sys.modules:
        from fastapi import FastAPI  # noqa: PLC0415 - an extra
        from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError  # noqa: PLC0415 - an extra

        if isinstance(app, FastAPI):
            kinds += [RequestValidationError, WebSocketRequestValidationError]
            app.openapi = with_problems(app.openapi)  # type: ignore[method-assign]  # the way FastAPI documents
    return kinds


class _ProblemResponse:
    """An ASGI application that sends one problem document."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the shape of ASGI
        prefix = "websocket.http" if scope["type"] == "websocket" else "http"
        body = b"" if self.answer.problem.status < 400 else self.answer.body()
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.answer.headers.items()
        ]
        if body:
            headers += [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": f"{prefix}.response.start", "status": self.answer.problem.status, "headers": headers})
        await send({"type": f"{prefix}.response.body", "body": body})


def _respond_to(error: Exception, scope: Scope, config: ProblemConfig, *, begun: bool = False) -> _ProblemResponse:
    ids = ids_of(scope)
    correlation_id = (new_id() if ids is None else ids[0]).decode()
    parameters: Mapping[str, Any] = scope.get("path_params") or {}
    call = parameters.get("call_id")
    answer = describe(error, config, path=scope.get("path", ""), correlation_id=correlation_id, call=call)
    # The id and not the error: scope, error, traceback and frame would keep each other alive.
    if scope.get(_LOGGED) != id(error):
        scope[_LOGGED] = id(error)
        _log(error, answer, scope, begun=begun)
    return _ProblemResponse(answer)


def _log(error: Exception, answer: Answer, scope: Scope, *, begun: bool) -> None:
    problem = answer.problem
    fields: dict[str, Any] = {
        "code": problem.code,
        "status": problem.status,
        "method": scope.get("method", "WEBSOCKET"),
        "path": scope.get("path", ""),
        "correlation_id": problem.correlation_id,
        **answer.log_fields,
    }
    if begun:
        logger.error("request failed after its answer began", exc_info=error, extra=fields)
    elif problem.status == 500:
        logger.error("request failed", exc_info=error, extra=fields)
    elif problem.status > 500:
        logger.warning("request failed", exc_info=_with_cause(error), extra=fields)
    else:
        logger.info("request refused", exc_info=_with_cause(error), extra=fields)


def _with_cause(error: Exception) -> Exception | None:
    """An expected error needs a traceback only where another one stands behind it."""
    return error if error.__cause__ is not None else None


def _client_left(error: Exception) -> bool:
    error = underlying(error)
    return (
        is_loaded_kind(error, "starlette.requests", "ClientDisconnect")
        or is_loaded_kind(error, "starlette.websockets", "WebSocketDisconnect")
        or is_loaded_kind(error, "uvicorn.protocols.utils", "ClientDisconnected")
    )


def _close_of(error: Exception, answer: Answer) -> tuple[int, str]:
    """Code and reason of a WebSocket close frame (RFC 6455 section 7.4.1; at most 123 bytes of reason)."""
    if is_loaded_kind(error, "starlette.exceptions", "WebSocketException"):
        code: int = getattr(error, "code", _INTERNAL_ERROR)
        return code, str(getattr(error, "reason", "")).encode()[:123].decode(errors="ignore")
    status = answer.problem.status
    code = _TRY_AGAIN_LATER if status in {429, 503} else _POLICY_VIOLATION if status < 500 else _INTERNAL_ERROR
    return code, answer.problem.code.encode()[:123].decode(errors="ignore")
