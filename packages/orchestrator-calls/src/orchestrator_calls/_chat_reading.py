"""Reading a model's answer from the network, piece by piece (extra `[http]`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from orchestrator_calls._chat_stream import ChatFailed, ChatStream
from orchestrator_calls._sse import EventStream
from orchestrator_kernel.ports import Json

if TYPE_CHECKING:
    import httpx

__all__ = ["SERVICE", "pieces"]

SERVICE: Final = "chat"

MAX_STREAM: Final = 1_048_576
"""Bytes of one answer."""


async def pieces(
    client: httpx.AsyncClient, path: str, body: Mapping[str, Json], stream: ChatStream
) -> AsyncGenerator[str, None]:
    """The text of the answer as it comes in; what else it holds is in `stream`.

    Raises:
        OrchestratorError: The answer cannot be had, or breaks off.
    """
    from orchestrator_kernel.http import check_status, http_errors, read_limited  # noqa: PLC0415 - the client's extra

    with http_errors(SERVICE):
        async with client.stream("POST", path, json=body, follow_redirects=False) as response:
            check_status(response, SERVICE)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "application/json":
                # A server that does not stream says all at once.
                whole = await read_limited(response, MAX_STREAM, SERVICE)
                yield stream.feed(whole.decode(errors="replace"))
            elif kind == "text/event-stream":
                async with aclosing(_events(response)) as events:
                    async for data in events:
                        yield stream.feed(data)
                        if stream.over:
                            break
            else:
                raise ChatFailed("content_type")
    yield stream.end()


async def _events(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The events of a streamed answer.

    Raises:
        ChatFailed: It is too long, or compressed although it was asked for plain.
    """
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ChatFailed("compressed")
    events, size = EventStream(), 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > MAX_STREAM:
            raise ChatFailed("too_much")
        for data in events.feed(piece):
            yield data
