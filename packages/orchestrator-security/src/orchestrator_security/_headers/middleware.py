"""The headers of every answer, HTTP and WebSocket, from bytes that are made once. Pure ASGI."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from typing import Final

from orchestrator_security._asgi import ASGIApp, ByPath, Message, Receive, Scope, Send
from orchestrator_security._headers.policy import HeaderPolicy, api

__all__ = ["HeadersMiddleware"]

_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})
_NO_STORE: Final = (b"cache-control", b"no-store")
_CLEAR: Final = (b"clear-site-data", b'"cache", "cookies", "storage"')


class _Prepared:
    """One policy as bytes."""

    def __init__(self, policy: HeaderPolicy) -> None:
        self.fixed = [(name.lower().encode(), value.encode()) for name, value in policy.headers()]
        self.nonced: tuple[bytes, tuple[bytes, ...]] | None = None
        if policy.content is not None:
            name, parts = policy.content.header.lower().encode(), policy.content.around_nonce()
            if len(parts) > 1:
                self.nonced = name, parts
            else:
                self.fixed.append((name, b"".join(parts)))
        self.over_tls = (
            [*self.fixed, (b"strict-transport-security", policy.hsts.encode())] if policy.hsts else self.fixed
        )
        self.store = (b"cache-control", policy.store.encode()) if policy.store else None
        ours = [name for name, _ in self.over_tls] + ([self.nonced[0]] if self.nonced else [])
        self.dropped = frozenset([*ours, *(name.encode() for name in policy.remove)])


class HeadersMiddleware:
    """Sets a policy's headers on every answer, in place of those that the application set itself.

    Only an application's own Cache-Control stays, except where tokens are: an answer that sets a cookie, or whose path is in `token_paths`,
    is never stored.

    Args:
        policy: For every path without another; the preset `api()` when absent.
        by_path: Other policies for one path, or for all that begin with a path ending in `/`; the longest that fits counts.
        token_paths: Paths whose answers hold tokens.
        clear_paths: Paths after whose answer the browser forgets everything about this site (logout).
        tls: Whether clients come over TLS; None believes the server's scheme.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: HeaderPolicy | None = None,
        by_path: Mapping[str, HeaderPolicy] | None = None,
        token_paths: Collection[str] = (),
        clear_paths: Collection[str] = (),
        tls: bool | None = None,
    ) -> None:
        self._app = app
        prepared = {path: _Prepared(each) for path, each in (by_path or {}).items()}
        self._policies = ByPath(_Prepared(policy or api()), prepared)
        self._tokens = frozenset(token_paths)
        self._clear = frozenset(clear_paths)
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        policy = self._policies.of(scope["path"])
        nonce = secrets.token_urlsafe(18) if policy.nonced else ""
        if nonce:
            scope["csp_nonce"] = nonce

        async def with_headers(message: Message) -> None:
            if message["type"] in _STARTS:
                message = {**message, "headers": self._headers(scope, policy, nonce, message.get("headers", ()))}
            await send(message)

        await self._app(scope, receive, with_headers)

    def _headers(
        self, scope: Scope, policy: _Prepared, nonce: str, given: Collection[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = []
        stored = secret = False
        for pair in given:
            name = pair[0].lower()
            if name in policy.dropped:
                continue
            stored = stored or name == b"cache-control"
            secret = secret or name == b"set-cookie"
            headers.append(pair)
        tls = scope["scheme"] in {"https", "wss"} if self._tls is None else self._tls
        headers += policy.over_tls if tls else policy.fixed
        if policy.nonced:
            name, parts = policy.nonced
            headers.append((name, nonce.encode().join(parts)))
        if secret or scope["path"] in self._tokens:
            headers = [pair for pair in headers if pair[0].lower() != b"cache-control"]
            headers.append(_NO_STORE)
        elif not stored and policy.store:
            headers.append(policy.store)
        if scope["path"] in self._clear:
            headers.append(_CLEAR)
        return headers
