"""A server on a loopback port whose every byte the test decides: the other side of requests that go wrong."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """The running server; `answer` may be exchanged at any time."""

    port: int
    answer: Answer
    asked: list[Asked] = field(default_factory=list)
    open: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


async def _until_left(answering: Awaitable[None], reader: asyncio.StreamReader) -> None:
    """Answer, unless the other side leaves before."""
    answer, left = asyncio.ensure_future(answering), asyncio.ensure_future(reader.read())
    try:
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (answer, left):
            task.cancel()
        await asyncio.gather(answer, left, return_exceptions=True)


@asynccontextmanager
async def peer(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    running = Peer(0, answer, scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        running.open += 1
        try:
            asked = await _read(reader)
            running.asked.append(asked)
            await _until_left(running.answer(asked, writer), reader)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            running.open -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def head(status: int, content_type: str = "application/json", length: int | None = None, **more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}"]
    lines += [] if length is None else [f"content-length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def replies(status: int, value: Any, content_type: str = "application/json", **more: str) -> Answer:
    """An ordinary answer."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, content_type, len(body), **more) + body)
        await writer.drain()

    return answer


def sends(data: bytes, *, then: float = 0.0) -> Answer:
    """These bytes, and the end of the connection after `then` seconds."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(then)

    return answer


async def hangs(_: Asked, writer: asyncio.StreamWriter) -> None:
    """No answer at all."""
    await asyncio.sleep(3600)


async def drops(_: Asked, writer: asyncio.StreamWriter) -> None:
    """The connection breaks without an answer."""
    writer.transport.abort()
