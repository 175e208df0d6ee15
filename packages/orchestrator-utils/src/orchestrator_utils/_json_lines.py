"""JSON lines as they arrive: whole lines out of pieces of any size. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

__all__ = ["BrokenLines", "JsonLines"]


class BrokenLines(ValueError):
    """A line is no JSON object, or too long; the message never shows it."""


class JsonLines:
    """Cuts bytes into lines and reads each as a JSON object.

    A line may begin with `data:`, as servers write it that send events (WHATWG server-sent events); empty lines and comments are nothing.

    Args:
        longest: Bytes of one line.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, object]]:
        """The objects whose lines are complete now.

        Raises:
            BrokenLines: A line is no object, or longer than allowed.
        """
        self._rest += data
        while (end := self._rest.find(b"\n")) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            yield from self._read(line)
        if len(self._rest) > self._longest:
            raise BrokenLines(f"sent a line of more than {self._longest} bytes")

    def finish(self) -> Iterator[dict[str, object]]:
        """The object of the last line, which need not end with a line break."""
        line = bytes(self._rest)
        self._rest.clear()
        yield from self._read(line)

    def _read(self, line: bytes) -> Iterator[dict[str, object]]:
        if len(line) > self._longest:
            raise BrokenLines(f"sent a line of more than {self._longest} bytes")
        line = line.strip()
        if line.startswith(b"data:"):
            line = line[5:].strip()
        if not line or line.startswith((b":", b"event:", b"id:", b"retry:")):
            return
        try:
            found = cast("object", json.loads(line))
        except (ValueError, RecursionError):
            raise BrokenLines("sent a line that is no JSON") from None
        if not isinstance(found, dict):
            raise BrokenLines("sent a line that is no JSON object")
        yield cast("dict[str, object]", found)
