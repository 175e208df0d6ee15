"""A server that speaks the chat completions protocol: streamed, slow, broken, refusing, or lying, as the test wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from calls_peers import Answer, Asked, head


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """One piece of a streamed answer in the documented form."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "tests",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def used(prompt: object, completion: object) -> dict[str, Any]:
    """The piece that a server adds before the end when it is asked what the answer took."""
    told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": None}
    return {**chunk(), "choices": [], "usage": told}


def words(text: str) -> list[dict[str, Any]]:
    """A text as a model streams it: about a word at a time."""
    pieces = [f" {word}" if place else word for place, word in enumerate(text.split(" "))]
    return [chunk(role="assistant", content=""), *[chunk(content=piece) for piece in pieces]]


def tool(name: str, **arguments: Any) -> list[dict[str, Any]]:
    """A tool call, its arguments in two pieces."""
    text = json.dumps(arguments)
    half = len(text) // 2
    return [
        chunk(tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": text[:half]}}]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": text[half:]}}]),
        chunk("tool_calls"),
    ]  # fmt: skip


def streams(
    chunks: Sequence[dict[str, Any] | str],
    *,
    pause: float = 0.0,
    first: float = 0.0,
    done: bool = True,
    then: float = 0.0,
    at: Callable[[int], float] = lambda _: 0.0,
) -> Answer:
    """A stream of these chunks.

    Args:
        pause: Seconds between two.
        first: Seconds before the first.
        done: Whether `[DONE]` ends it.
        then: Seconds that the connection stays open after it.
        at: Further seconds before the chunk of this number.
    """

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "text/event-stream; charset=utf-8", transfer_encoding="chunked"))
        await writer.drain()
        await asyncio.sleep(first)
        for number, each in enumerate([*chunks, *(["[DONE]"] if done else [])]):
            await asyncio.sleep(pause + at(number))
            _part(writer, f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n".encode())
            await writer.drain()
        await asyncio.sleep(then)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer


def _part(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def breaks_after(chunks: Sequence[dict[str, Any]]) -> Answer:
    """A stream whose connection breaks."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "text/event-stream", transfer_encoding="chunked"))
        for each in chunks:
            _part(writer, f"data: {json.dumps(each)}\n\n".encode())
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    return answer
