"""Server-sent events on the wire, and which parts of a page changed. Source: the HTML standard, section 9.2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from orchestrator_kernel.ports import Json

__all__ = ["KEEP_ALIVE", "RETRY", "Seen", "frame"]

KEEP_ALIVE: Final = b": \n\n"
"""A comment: keeps the line open, and shows a line that is gone."""

RETRY: Final = b"retry: 1500\n\n"
"""Milliseconds after which the browser asks again when the line breaks."""


def frame(event: str, data: Mapping[str, Json]) -> bytes:
    r"""One event. Its data is JSON in ASCII on one line, so that no text of a caller can end it or begin another.

    >>> frame("patch", {"html": "<p>\n</p>"})
    b'event: patch\ndata: {"html":"<p>\\n</p>"}\n\n'
    """
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")


class Seen:
    """What a page shows: only what differs is sent."""

    def __init__(self) -> None:
        self._shown: dict[str, object] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._shown

    def differs(self, key: str, value: object) -> bool:
        """Whether the page shows something else under this key; from now on it shows this."""
        if key in self._shown and self._shown[key] == value:
            return False
        self._shown[key] = value
        return True

    def drop(self, keep: frozenset[str], prefix: str) -> list[str]:
        """Forget all keys that begin with `prefix` and are not to be kept; which those were, without the prefix."""
        gone = [key for key in self._shown if key.startswith(prefix) and key not in keep]
        for key in gone:
            del self._shown[key]
        return [key.removeprefix(prefix) for key in gone]
