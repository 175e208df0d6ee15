"""An httpx transport that asks only what a `UrlPolicy` allows (extra `[http]`).

What the user types: `httpx.AsyncClient(transport=GuardedTransport(UrlPolicy()))`. Each request, and each redirect that the client follows, is
judged by its URL. The name is resolved when a connection is opened, all of its addresses are judged, and the connection goes to one of them: a name
that resolves differently a moment later is never asked again. TLS still proves the name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, cast

import httpcore
import httpx

from orchestrator_kernel.addresses import Resolve, resolve
from orchestrator_security._validation.errors import AddressRefused
from orchestrator_security._validation.urls import UrlPolicy

__all__ = ["GuardedTransport", "system_resolver"]

_RESOLVE_SECONDS: Final = 5.0


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses that the machine's resolver names.

    Raises:
        AddressRefused: The name is unknown, or the answer takes more than 5 seconds.
    """
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            return await resolve(host, port)
    except (OSError, TimeoutError, UnicodeError):
        raise AddressRefused("The host did not resolve to an address.") from None


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to judged addresses only."""

    def __init__(self, policy: UrlPolicy, resolver: Resolve) -> None:
        self._policy = policy
        self._resolver = resolver
        self._inner = cast("httpcore.AsyncNetworkBackend", cast("object", httpcore.AnyIOBackend()))

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = self._policy.judge_all(await self._resolver(host, port))
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """Raises `AddressRefused` for a request that the policy does not allow; everything else is httpx's own transport."""

    def __init__(self, policy: UrlPolicy, *, resolver: Resolve = system_resolver) -> None:
        super().__init__(trust_env=False)
        self._policy = policy
        # httpx has no argument for the network backend; a test shows that this one is used.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_PinnedBackend(policy, resolver),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._policy.check(str(request.url))
        return await super().handle_async_request(request)
