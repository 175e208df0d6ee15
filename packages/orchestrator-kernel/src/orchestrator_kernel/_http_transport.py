"""A transport for httpx that loses no place of its pool when requests are cancelled; `orchestrator_kernel.http` tells why it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, cast

import anyio
import httpx

__all__ = ["CancelSafeTransport"]

CLOSE_LIMIT: Final = 5.0
"""Seconds that closing a connection, or a client, may take."""


class _Exchange:
    """One request and its answer, in a task of its own; it owns a slot from the start until its connection is free again."""

    def __init__(self, inner: httpx.AsyncHTTPTransport, request: httpx.Request, slots: asyncio.Semaphore) -> None:
        self._inner = inner
        self._request = request
        self._slots = slots
        self._scope = anyio.CancelScope()
        # An open connection that has sent nothing is forgotten by httpcore when it is cancelled, so nothing is cancelled until
        # the request is being sent. Connecting ends by itself, within its time limit; the caller does not wait for it.
        self._until_sent = anyio.CancelScope(shield=True)
        # One part in hand: a slow reader slows the server down instead of filling the memory.
        self._parts: asyncio.Queue[httpx.Response | bytes | Exception | None] = asyncio.Queue(1)
        self._users_trace = request.extensions.get("trace")
        self.task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End it soon; harmless when it has ended."""
        self._scope.cancel()

    async def head(self) -> httpx.Response:
        """The answer's status and headers; a caller that is cancelled here ends the exchange."""
        try:
            part = await self._parts.get()
        except BaseException:
            self.stop()
            raise
        if isinstance(part, Exception):
            raise part
        return cast("httpx.Response", part)

    async def body(self) -> AsyncGenerator[bytes]:
        """The pieces of the answer after `head`."""
        while (part := await self._parts.get()) is not None:
            if isinstance(part, Exception):
                raise part
            yield cast("bytes", part)

    async def _run(self) -> None:
        with self._scope:
            last: Exception | None = None
            try:
                await self._talk()
            except Exception as error:  # noqa: BLE001 - raised again in the caller's task
                last = error
            finally:
                self._slots.release()
            await self._parts.put(last)
            return
        self._tell_of_the_end()

    def _tell_of_the_end(self) -> None:
        """Whoever still reads, because the client was closed in another task, gets an error instead of waiting for ever."""
        if self._parts.full():
            self._parts.get_nowait()
        self._parts.put_nowait(httpx.ReadError("the client was closed", request=self._request))

    async def _talk(self) -> None:
        if self._scope.cancel_called:
            return
        with self._until_sent:
            response = await self._send()
            self._until_sent.shield = False
            stream = cast("httpx.AsyncByteStream", response.stream)
            try:
                await self._parts.put(response)
                async with aclosing(cast("AsyncGenerator[bytes]", aiter(stream))) as pieces:
                    async for piece in pieces:
                        await self._parts.put(piece)
            finally:
                with anyio.move_on_after(CLOSE_LIMIT, shield=True):
                    await stream.aclose()

    async def _send(self) -> httpx.Response:
        given = self._request.extensions
        self._request.extensions = {**given, "trace": self._trace}
        try:
            return await self._inner.handle_async_request(self._request)
        finally:
            # The request is the caller's, who may send it again.
            self._request.extensions = given

    async def _trace(self, event: str, info: dict[str, object]) -> None:
        if event.endswith(".send_request_headers.started"):
            self._until_sent.shield = False
        if self._users_trace is not None:
            await self._users_trace(event, info)


class _Body(httpx.AsyncByteStream):
    """The body of an `httpx.Response`."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def __aiter__(self) -> AsyncGenerator[bytes]:
        return self._exchange.body()

    async def aclose(self) -> None:
        self._exchange.stop()


class CancelSafeTransport(httpx.AsyncBaseTransport):
    """Gives each request a task of its own and a place of `limit`; closing it ends what still runs."""

    def __init__(self, inner: httpx.AsyncHTTPTransport, limit: int) -> None:
        self._inner = inner
        self._slots = asyncio.Semaphore(limit)
        self._exchanges: dict[asyncio.Task[None], _Exchange] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await self._slots.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection became free in time", request=request) from None
        exchange = _Exchange(self._inner, request, self._slots)
        self._exchanges[exchange.task] = exchange
        exchange.task.add_done_callback(self._exchanges.pop)
        head = await exchange.head()
        return httpx.Response(
            head.status_code, headers=head.headers, stream=_Body(exchange), extensions=head.extensions
        )

    async def aclose(self) -> None:
        for exchange in self._exchanges.values():
            exchange.stop()
        if self._exchanges:
            await asyncio.wait(list(self._exchanges), timeout=CLOSE_LIMIT)
        await self._inner.aclose()
