"""The application's outer doors: which hosts it answers for, who gets in, and how much they may bring. Pure ASGI."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html

from orchestrator_kernel.exceptions import AuthenticationError
from orchestrator_security.headers_middleware import HeaderPolicy, docs
from orchestrator_security.input_validation import RequestLimits

__all__ = [
    "FORMS",
    "MEDIA_TYPES",
    "PUBLIC",
    "SIGNED",
    "Gate",
    "Identification",
    "Operator",
    "header_policies",
    "request_limits",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PUBLIC: Final = frozenset({"/healthz", "/health/live", "/health/ready"})
"""Answers anyone."""

FORMS: Final = frozenset(f"/v1/twilio/{name}" for name in ("voice", "status", "relay/ended", "dial", "transfer"))
"""Where forms are sent instead of JSON."""

SIGNED: Final = FORMS | {"/call/event", "/v1/livekit/webhook", "/v1/livekit/transcription"}
"""Whoever sends here signs what is sent; the routes check it."""

MEDIA_TYPES: Final = frozenset({"application/json", "application/webhook+json"})

_FORM: Final = "application/x-www-form-urlencoded"
_PROVED_SOCKET: Final = re.compile(r"/v1/calls/[^/]+/media\Z|/v1/twilio/relay\Z")


class Operator:
    """The `Principal` behind the access token: may do everything, for every tenant."""

    id = "operator"

    def may(self, permission: str) -> bool:
        return permission.islower() and ":" in permission

    def may_access(self, tenant: str) -> bool:
        return bool(tenant)


class Identification:
    """Says who sends a request: the operator, if it brings the access token; else nobody.

    A WebSocket client that cannot send headers may give the token as the query's `token`.
    """

    def __init__(self, app: App, *, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and hmac.compare_digest(_credential(scope), self._token):
            scope["principal"] = Operator()
        await self._app(scope, receive, send)


class Gate:
    """Lets in who is known. Public and signed paths are exact lists; the sockets of legs have proofs of their own."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and not self._open(scope) and "principal" not in scope:
            raise AuthenticationError("Send the access token as `Authorization: Bearer …`.")
        await self._app(scope, receive, send)

    @staticmethod
    def _open(scope: Scope) -> bool:
        path = scope["path"]
        if scope["type"] == "websocket":
            return _PROVED_SOCKET.match(path) is not None
        return path in PUBLIC or path in SIGNED


def request_limits(body: int) -> tuple[RequestLimits, dict[str, RequestLimits]]:
    """What a request may bring, and what differs by path: a signed body is read by nobody before its sender is proved.

    Args:
        body: Bytes of a body.
    """
    usual = RequestLimits(body=body, media_types=MEDIA_TYPES)
    signed = RequestLimits(body=body, media_types=MEDIA_TYPES, json=None)
    form = RequestLimits(body=body, media_types=frozenset({_FORM}), json=None)
    return usual, {path: form if path in FORMS else signed for path in SIGNED}


def header_policies(app: FastAPI) -> dict[str, HeaderPolicy]:
    """The documentation pages need what FastAPI puts into them; every other answer is data."""
    title, openapi = app.title, app.openapi_url or ""
    swagger = get_swagger_ui_html(
        openapi_url=openapi,
        title=f"{title} - Swagger UI",
        oauth2_redirect_url=app.swagger_ui_oauth2_redirect_url,
        swagger_ui_parameters=app.swagger_ui_parameters,
    )
    redoc = get_redoc_html(openapi_url=openapi, title=f"{title} - ReDoc")
    return {"/docs": docs(bytes(swagger.body).decode()), "/redoc": docs(bytes(redoc.body).decode())}


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _credential(scope: Scope) -> bytes:
    kind, _, token = _header(scope, b"authorization").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip().encode("latin-1")
    if scope["type"] == "websocket":
        query = parse_qs(bytes(scope.get("query_string", b"")).decode("latin-1"))
        return query.get("token", [""])[0].encode("latin-1", "replace")
    return b""
