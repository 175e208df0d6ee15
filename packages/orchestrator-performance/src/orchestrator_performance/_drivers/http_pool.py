"""Pools of HTTP connections: the kernel's client, and the books of who uses it (extra `[http]`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import cast

import httpx

from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_performance._pools.config import PoolConfig
from orchestrator_performance._pools.pools import Observe, Pool
from orchestrator_performance._pools.usage import Lease, PoolClosed, Slots

__all__ = ["HttpPool"]

Wrap = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]


class HttpPool(Pool):
    """Connections to one HTTP service.

    Attributes:
        client: An `httpx.AsyncClient`; do not close it, the pool does.
    """

    def __init__(self, config: PoolConfig, wrap: Wrap | None = None, observe: Observe | None = None) -> None:
        super().__init__(config)
        self._slots = Slots(self.usage)

        def counted(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
            transport = _Counted(inner, self._slots, config.acquire_seconds, observe)
            return transport if wrap is None else wrap(transport)

        settings = replace(
            config.http or HttpClientConfig(),
            base_url=config.url.rstrip("/"),
            max_connections=config.size,
            pool_timeout=config.acquire_seconds,
            connect_timeout=config.connect_seconds,
            keepalive=config.idle_seconds,
        )
        self.client = create_client(settings, wrap=counted)

    @property
    def idle(self) -> None:
        return None

    async def check(self) -> bool | None:
        if self.config.health_path is None:
            return None
        response = await self.client.get(self.config.health_path)
        if response.is_server_error:
            raise ConnectionError("the service answered with an error")
        return True

    async def warm(self) -> None:
        if self.config.health_path is not None:
            await asyncio.gather(*[self.check() for _ in range(self.config.warm)])

    def refuse(self) -> None:
        self._slots.close()

    async def shut(self) -> None:
        await self.client.aclose()


class _Body(httpx.AsyncByteStream):
    """An answer's body, whose end gives the place back."""

    def __init__(self, stream: httpx.AsyncByteStream, lease: Lease) -> None:
        self._stream = stream
        self._lease = lease

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._lease.release()


class _Counted(httpx.AsyncBaseTransport):
    """Takes a place for each request, from its start until its answer is closed."""

    def __init__(self, inner: httpx.AsyncBaseTransport, slots: Slots, seconds: float, observe: Observe | None) -> None:
        self._inner = inner
        self._slots = slots
        self._seconds = seconds
        self._observe = observe

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limits = cast("dict[str, float | None]", request.extensions.get("timeout", {}))
        try:
            lease = await self._slots.acquire(limits.get("pool", self._seconds))
        except TimeoutError:
            raise httpx.PoolTimeout("no connection became free in time", request=request) from None
        except PoolClosed as error:
            raise httpx.ConnectError(error.message, request=request) from error
        began = time.monotonic()
        try:
            answer = await self._inner.handle_async_request(request)
        except BaseException as error:
            self._slots.usage.failures += isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            lease.release()
            if isinstance(error, Exception):
                self._tell(began, failed=True)
            raise
        self._tell(began, failed=answer.is_server_error)
        answer.stream = _Body(cast("httpx.AsyncByteStream", answer.stream), lease)
        return answer

    def _tell(self, began: float, *, failed: bool) -> None:
        if self._observe is not None:
            self._observe("http", self._slots.usage.name, time.monotonic() - began, failed)

    async def aclose(self) -> None:
        await self._inner.aclose()
