"""The limiter in front of an ASGI application: pure ASGI, no framework.

What the user types:

    app = RateLimitMiddleware(app, admission, trusted_proxies=["10.0.0.0/8"], identify=identify)

`identify` tells from the scope who has been verified (a user, an API key, a tenant). Whoever has not is known by address. No header of the
request lifts a limit, and `X-Forwarded-For` is believed only when it was written by a proxy on the list.
Answers carry `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), refusals also `Retry-After` (RFC 9110) and a problem
document (RFC 9457).
"""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from orchestrator_kernel.addresses import Network, read_address, through_proxies
from orchestrator_kernel.ports import Admission, AdmissionDecision, AdmissionRequest
from orchestrator_resilience._validation import refuse
from orchestrator_resilience.rate_limit_rules import RateLimitDecision

__all__ = ["Identity", "RateLimitMiddleware", "RouteTemplates", "client_address"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

UNKNOWN_ROUTE = "*"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who has been verified: a stable name, and the tenant where there is one."""

    client: str
    tenant: str | None = None


class RouteTemplates:
    """Finds the template of a path, so that a path full of ids is one route. Paths that match none share one budget.

    >>> RouteTemplates(["/v1/calls/{id}", "/auth/*"])("/v1/calls/c-7")
    '/v1/calls/{id}'
    """

    def __init__(self, templates: Iterable[str]) -> None:
        ordered = sorted(templates, key=lambda each: (each.endswith("*"), each.count("{"), -len(each)))
        self._templates = [(each, each.strip("/").split("/")) for each in ordered if not each.endswith("*")]
        self._prefixes = [each for each in ordered if each.endswith("*")]

    def __call__(self, path: str) -> str:
        """The template, else the prefix that covers the path, else `*`."""
        parts = path.strip("/").split("/")
        for template, pattern in self._templates:
            if len(pattern) == len(parts) and all(
                wanted == part or (wanted.startswith("{") and part) for wanted, part in zip(pattern, parts, strict=True)
            ):
                return template
        return next((each for each in self._prefixes if path.startswith(each[:-1])), UNKNOWN_ROUTE)


def client_address(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address that the request came from, seen through trusted proxies only. IPv6 counts by /64, of which everybody has plenty."""
    peer = scope.get("client")
    address = read_address(str(peer[0])) if peer else None
    if address is None:
        return "unknown"
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    address, _ = through_proxies(address, forwarded.split(","), trusted)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class RateLimitMiddleware:
    """Asks the admission about every HTTP request and WebSocket, and answers 429 itself when it says no.

    Args:
        app: The application behind it.
        admission: Who decides.
        identify: Who has been verified, from the scope; None for nobody.
        trusted_proxies: Addresses and networks whose `X-Forwarded-For` is believed.
        route: Finds the template of a path; `RouteTemplates` of the admission's rules unless given.
        exempt: Paths that are never limited, such as health checks.

    Raises:
        ConfigurationError: A trusted proxy is no address.
    """

    def __init__(
        self,
        app: App,
        admission: Admission,
        *,
        identify: Callable[[Scope], Identity | None] | None = None,
        trusted_proxies: Iterable[str] = (),
        route: Callable[[str], str] | None = None,
        exempt: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._admission = admission
        self._identify = identify
        self._trusted = [_network(each) for each in trusted_proxies]
        self._route = route or RouteTemplates(cast("list[str]", getattr(admission, "routes", [])))
        self._exempt = frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        decision = await self._admission.admit(self._request(scope))
        headers = _headers(decision)
        if not decision.allowed:
            await (_refuse_http if scope["type"] == "http" else _refuse_websocket)(decision, headers, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                message["headers"] = [*message.get("headers", []), *headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _request(self, scope: Scope) -> AdmissionRequest:
        identity = self._identify(scope) if self._identify else None
        # A prefix keeps a verified name that looks like an address apart from the address.
        client = f"id:{identity.client}" if identity else f"ip:{client_address(scope, self._trusted)}"
        method = scope.get("method", "GET")
        tenant = identity.tenant if identity else None
        return AdmissionRequest(route=self._route(scope["path"]), client=client, method=method, tenant=tenant)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise refuse("trusted_proxies", text, "addresses such as 10.0.0.7, and networks such as 10.0.0.0/8") from None


def _headers(decision: AdmissionDecision) -> list[tuple[bytes, bytes]]:
    policy, window = "default", ""
    if isinstance(decision, RateLimitDecision):
        policy, window = decision.policy, f";w={decision.window}"
    told = [
        ("ratelimit-policy", f'"{policy}";q={decision.limit}{window}'),
        ("ratelimit", f'"{policy}";r={decision.remaining};t={math.ceil(decision.reset_after)}'),
    ]
    if not decision.allowed and decision.retry_after < math.inf:
        told.append(("retry-after", str(max(1, math.ceil(decision.retry_after)))))
    return [(name.encode(), value.encode()) for name, value in told]


async def _refuse_http(
    decision: AdmissionDecision, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send
) -> None:
    del receive  # the body is not read: the server closes or drains the connection as it sees fit
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "code": "rate_limited",
    }
    if decision.retry_after < math.inf:
        problem["retry_after"] = max(1, math.ceil(decision.retry_after))
    body = json.dumps(problem).encode()
    fixed = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 429, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})


async def _refuse_websocket(
    decision: AdmissionDecision, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send
) -> None:
    del decision, headers  # a handshake that is refused by a close has no headers of ours
    await receive()
    await send({"type": "websocket.close", "code": 1013, "reason": "too many requests"})
