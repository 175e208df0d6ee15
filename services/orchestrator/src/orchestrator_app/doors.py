"""The application's outer doors: which hosts it answers for, who gets in, and how much they may bring. Pure ASGI."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs

from orchestrator_kernel.exceptions import AuthenticationError, SecurityError, ValidationError

__all__ = [
    "MEDIA_TYPES",
    "PUBLIC",
    "SIGNED",
    "BearerGate",
    "BodyLimit",
    "BodyTooLarge",
    "Operator",
    "TrustedHosts",
    "UnsupportedMediaType",
    "UntrustedHost",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PUBLIC: Final = frozenset({"/healthz", "/health/live", "/health/ready"})
"""Answers anyone."""

SIGNED: Final = frozenset({"/call/event", "/v1/livekit/webhook", "/v1/livekit/transcription"})
"""Whoever sends here signs what is sent; the routes check it."""

MEDIA_TYPES: Final = frozenset({"application/json", "application/webhook+json"})

_MEDIA_SOCKET: Final = re.compile(r"/v1/calls/[^/]+/media\Z")


class UntrustedHost(SecurityError):
    """The request names a host that the service is not known under."""

    default_code = "untrusted_host"


class BodyTooLarge(ValidationError):
    """The body has more bytes than a request may have."""

    default_code = "body_too_large"
    default_status = 413


class UnsupportedMediaType(ValidationError):
    """The body is not JSON by its own word."""

    default_code = "unsupported_media_type"
    default_status = 415


class Operator:
    """The `Principal` behind the access token: may do everything, for every tenant."""

    id = "operator"

    def may(self, permission: str) -> bool:
        return permission.islower() and ":" in permission

    def may_access(self, tenant: str) -> bool:
        return bool(tenant)


class TrustedHosts:
    """Answers only requests for the hosts it is known under, so that no link is ever made for a stranger's host.

    Public paths make no links, and are asked by address (a load balancer's probes), so they answer for any host.
    """

    def __init__(self, app: App, *, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "websocket" or (scope["type"] == "http" and scope["path"] not in PUBLIC)
        if asked and self._host(scope) not in self._hosts:
            raise UntrustedHost("The service does not answer for this host; server.trusted_hosts names those it does.")
        await self._app(scope, receive, send)

    @staticmethod
    def _host(scope: Scope) -> str:
        value = _header(scope, b"host").lower()
        return value if value.endswith("]") else re.sub(r":\d+\Z", "", value)


class BearerGate:
    """Lets in who has the access token. Public and signed paths are exact lists; the media socket has tokens of its own.

    A WebSocket client that cannot send headers may give the token as the query's `token`.
    """

    def __init__(self, app: App, *, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and not self._open(scope):
            if not hmac.compare_digest(_credential(scope), self._token):
                raise AuthenticationError("Send the access token as `Authorization: Bearer …`.")
            scope["principal"] = Operator()
        await self._app(scope, receive, send)

    @staticmethod
    def _open(scope: Scope) -> bool:
        path = scope["path"]
        if scope["type"] == "websocket":
            return _MEDIA_SOCKET.match(path) is not None
        return path in PUBLIC or path in SIGNED


class BodyLimit:
    """Refuses a body that is too large (413) before it is read whole, or that is not JSON by its own word (415)."""

    def __init__(self, app: App, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._check_headers(scope)
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise self._too_large()
            return message

        await self._app(scope, limited, send)

    def _check_headers(self, scope: Scope) -> None:
        length = _header(scope, b"content-length")
        if length and (not length.isascii() or not length.isdigit() or int(length[:20]) > self._limit):
            raise self._too_large()
        has_body = (length and length != "0") or _header(scope, b"transfer-encoding")
        media_type = _header(scope, b"content-type").partition(";")[0].strip().lower()
        if has_body and media_type not in MEDIA_TYPES:
            raise UnsupportedMediaType("The body must be application/json.")

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body may have {self._limit} bytes.")


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
