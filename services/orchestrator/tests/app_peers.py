"""Providers that do everything wrong which can be done wrong: one server whose answer depends on the path, or on the voice that is asked for."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

RATE = 24_000
TONE = b"".join(struct.pack("<h", 8000 if number % 40 < 20 else -8000) for number in range(RATE // 5))
"""A fifth of a second that can be heard."""


@dataclass
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def head(status: int, content_type: str, length: int | None = None, **more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", "connection: close"]
    lines += [] if length is None else [f"content-length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def says(status: int, body: bytes, content_type: str, **more: str) -> Answer:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, content_type, len(body), **more) + body)
        await writer.drain()

    return answer


async def hangs(_: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def drops(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def streams(content_type: str, *parts: bytes | float, length: int | None = None) -> Answer:
    """These bytes; a number is so many seconds of waiting."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, content_type, length))
        for part in parts:
            if isinstance(part, bytes):
                writer.write(part)
                await writer.drain()
            else:
                await asyncio.sleep(part)

    return answer


@dataclass
class Provider:
    """The running server."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def provider(choose: Callable[[Asked], Answer]) -> AsyncIterator[Provider]:
    """A server that answers each request as `choose` says."""
    running, tasks = Provider(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            asked = Asked(method, path, headers, body)
            running.asked.append(asked)
            await choose(asked)(asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        for each in list(tasks):
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


# --- speech -------------------------------------------------------------------------------------------------------------------

PCM = f"audio/pcm;rate={RATE}"

SPEECH: dict[str, Answer] = {
    "good": streams(PCM, TONE * 5),
    "hangs": hangs,
    "slow": streams(PCM, 3.0, TONE * 5),
    "stalls": streams(PCM, TONE * 3, 20.0, TONE * 2),
    "drops": drops,
    "breaks": streams(PCM, TONE * 2, length=len(TONE) * 5),
    "truncates": streams(PCM, TONE[: len(TONE) // 2 + 1]),
    "wrong-type": says(200, b"<html>speech</html>", "text/html"),
    "lies-about-length": streams(PCM, TONE, length=len(TONE) * 50),
    "empty": says(200, b"", PCM),
    "silence": streams(PCM, bytes(len(TONE)) * 10),
    "garbage": says(200, b"RIFF\x00\x00\x00\x00WAVEfmt " + b"\x01" * 999, PCM),
    "429": says(429, b"{}", "application/json", retry_after="5"),
    "500": says(500, b"{}", "application/json"),
    "redirects": says(302, b"", "text/plain", location="http://127.0.0.1:1/"),
}

# --- text ---------------------------------------------------------------------------------------------------------------------

EVENTS = "text/event-stream"


def event(finish: str | None = None, **delta: Any) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


def wants(name: str, **arguments: Any) -> bytes:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return event(tool_calls=[call]) + event("tool_calls") + b"data: [DONE]\n\n"


TEXT: dict[str, Answer] = {
    "good": streams(
        EVENTS, event(content="Yes, we do. "), event("stop", content="Anything else?"), b"data: [DONE]\n\n"
    ),
    "hangs": hangs,
    "slow": streams(EVENTS, 4.0, event("stop", content="Too late.")),
    "stalls": streams(EVENTS, event(content="Yes, we do. And"), 20.0, event("stop", content=" more.")),
    "drops": drops,
    "truncates": streams(EVENTS, event(content="Yes, we")),
    "wrong-type": says(200, b"<html>Sign in</html>", "text/html"),
    "lies-about-length": streams(EVENTS, event(content="Yes"), length=100_000),
    "empty": streams(EVENTS, event("stop"), b"data: [DONE]\n\n"),
    "garbage": streams(EVENTS, b"data: \xff\xfe{]\n\n"),
    "429": says(429, b"{}", "application/json", retry_after="5"),
    "500": says(500, b"{}", "application/json"),
    "redirects": says(302, b"", "text/plain", location="http://127.0.0.1:1/"),
    "refuses": streams(EVENTS, event(refusal="I cannot help with that.")),
}

# --- actions ------------------------------------------------------------------------------------------------------------------

DONE = json.dumps({"status": "done", "data": {"number": "H-417"}}).encode()
JSON = "application/json"

ACTIONS: dict[str, Answer] = {
    "good": says(200, DONE, JSON),
    "hangs": hangs,
    "slow": streams(JSON, 4.0, DONE, length=len(DONE)),
    "stalls": streams(JSON, DONE[:9], 30.0, length=len(DONE)),
    "drops": drops,
    "truncates": streams(JSON, DONE[:9], length=len(DONE)),
    "wrong-type": says(200, b"<html>done</html>", "text/html"),
    "lies-about-length": streams(JSON, DONE, length=len(DONE) * 3),
    "empty": says(200, b"", JSON),
    "garbage": says(200, b"\xff\xfe", JSON),
    "429": says(429, b"{}", JSON, retry_after="1"),
    "500": says(500, b"{}", JSON),
    "redirects": says(307, b"", "text/plain", location="http://127.0.0.1:1/"),
    "refuses": says(409, json.dumps({"status": "refused", "reason": "fully_booked"}).encode(), JSON),
}
