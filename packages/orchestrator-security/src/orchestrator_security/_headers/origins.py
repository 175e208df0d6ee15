"""Whose pages may talk to the service (CORS, and the Origin of WebSockets), and under which names it is known. Pure ASGI."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from orchestrator_kernel.exceptions import AuthorizationError, ConfigurationError, SecurityError
from orchestrator_security._asgi import ASGIApp, Message, Receive, Scope, Send, header, headers_named, send_problem

__all__ = ["CorsMiddleware", "CorsPolicy", "OriginRefused", "TrustedHosts", "UntrustedHost"]

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?\Z|https?://\[[0-9a-f:]+\](?::[0-9]{1,5})?\Z")


class OriginRefused(AuthorizationError):
    """A page of another origin asks, and may not."""

    default_code = "origin_refused"


class UntrustedHost(SecurityError):
    """The request names a host that the service is not known under."""

    default_code = "untrusted_host"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPolicy:
    """What pages of other origins may do.

    Attributes:
        origins: Exact origins, `https://console.example`; there are no wildcards and no `null`.
        methods: What they may use.
        headers: What they may send besides the simple ones, in lower case.
        exposed: What of the answer they may read.
        credentials: Whether cookies and the like come along.
        max_age: Seconds that a browser remembers the answer to its question.
    """

    origins: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset({"GET", "POST"})
    headers: frozenset[str] = frozenset({"authorization", "content-type"})
    exposed: frozenset[str] = frozenset()
    credentials: bool = False
    max_age: int = 600

    def __post_init__(self) -> None:
        wrong = [origin for origin in self.origins if not _ORIGIN.match(origin)]
        if wrong:
            raise ConfigurationError(
                f"{', '.join(sorted(wrong))} is no exact origin: scheme://host[:port], without a path"
            )


class CorsMiddleware:
    """Answers browsers' preflight questions, and lets no other origin's page open a WebSocket.

    A request without an Origin is no page's, and passes. What a page of an unknown origin asks for with a simple request is refused too (403), because
    it would have its effect even if the page never reads the answer.
    """

    def __init__(self, app: ASGIApp, *, policy: CorsPolicy, raise_errors: bool = False) -> None:
        self._app = app
        self._policy = policy
        self._raise = raise_errors
        answer = [(b"vary", b"Origin")]
        if policy.credentials:
            answer.append((b"access-control-allow-credentials", b"true"))
        self._answer = list(answer)
        if policy.exposed:
            self._answer.append((b"access-control-expose-headers", ", ".join(sorted(policy.exposed)).encode()))
        self._preflight = [
            *answer,
            (b"access-control-allow-methods", ", ".join(sorted(policy.methods)).encode()),
            (b"access-control-allow-headers", ", ".join(sorted(policy.headers)).encode()),
            (b"access-control-max-age", str(policy.max_age).encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origins = headers_named(scope, b"origin") if scope["type"] in {"http", "websocket"} else []
        if not origins:
            await self._app(scope, receive, send)
            return
        origin = origins[0] if len(origins) == 1 else ""
        known = origin in self._policy.origins
        if _same_origin(origin, scope) or (known and scope["type"] == "websocket"):
            await self._app(scope, receive, send)
        elif not known:
            await self._refuse(scope, receive, send)
        elif scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
            await self._answer_preflight(scope, send, origin)
        elif scope["method"] not in self._policy.methods | {"HEAD", "OPTIONS"}:
            await self._refuse(scope, receive, send)
        else:
            await self._app(scope, receive, self._with_headers(send, origin))

    def _with_headers(self, send: Send, origin: str) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    pair for pair in message.get("headers", ()) if not pair[0].lower().startswith(b"access-control-")
                ]
                allowed = (b"access-control-allow-origin", origin.encode())
                message = {**message, "headers": [*kept, allowed, *self._answer]}
            await send(message)

        return with_headers

    async def _answer_preflight(self, scope: Scope, send: Send, origin: str) -> None:
        method = header(scope, b"access-control-request-method")
        asked = {name.strip().lower() for name in header(scope, b"access-control-request-headers").split(",")} - {""}
        if method not in self._policy.methods or not asked <= self._policy.headers:
            await send_problem(scope, send, OriginRefused("This method or header is not for pages of other origins."))
            return
        headers = [(b"access-control-allow-origin", origin.encode()), *self._preflight]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = OriginRefused("Pages of this origin may not use the service.")
        if self._raise:
            raise error
        if scope["type"] == "http":
            await send_problem(scope, send, error)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008})


def _same_origin(origin: str, scope: Scope) -> bool:
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    host = header(scope, b"host").lower()
    # Behind a proxy that ends TLS the server sees http, while the page says https.
    return bool(host) and origin in {f"{scheme}://{host}", f"https://{host}"}


class TrustedHosts:
    """Answers only for the names it is known under, so that no link, no cache and no password reset is ever made for a stranger's.

    Args:
        hosts: Exact names without a port; with a leading dot all names below: `.calls.example`.
        open_paths: Answer for any host: a load balancer's probes ask by address.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str], open_paths: Collection[str] = (), raise_errors: bool = False
    ) -> None:
        self._app = app
        self._exact = frozenset(host.lower() for host in hosts if not host.startswith("."))
        self._below = tuple(host.lower() for host in hosts if host.startswith("."))
        self._open = frozenset(open_paths)
        self._raise = raise_errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"} or scope["path"] in self._open or self._knows(scope):
            await self._app(scope, receive, send)
            return
        error = UntrustedHost("The service does not answer for this host.")
        if self._raise:
            raise error
        if scope["type"] == "http":
            await send_problem(scope, send, error)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    def _knows(self, scope: Scope) -> bool:
        names = headers_named(scope, b"host")
        if len(names) != 1:
            return False
        host = re.sub(r":[0-9]{1,5}\Z", "", names[0].lower()) if not names[0].endswith("]") else names[0].lower()
        return host in self._exact or (bool(self._below) and host.endswith(self._below))
