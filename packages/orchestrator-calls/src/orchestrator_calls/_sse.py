"""Server-sent events: bytes in, the data of each event out. Pure; any cutting of the bytes gives the same.

Source: the HTML standard, section "Server-sent events".
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from orchestrator_kernel.exceptions import ExternalServiceError

__all__ = ["EventStream", "StreamBroken"]

MAX_EVENT: Final = 262_144
"""Characters of one event."""


class StreamBroken(ExternalServiceError):
    """The stream is no stream of events, or one of its events cannot be read; `details` says which it was."""

    default_code = "stream_broken"


class EventStream:
    """Puts events together."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._line: list[str] = []
        self._data: list[str] = []
        self._size = 0
        self._after_return = False
        self._begun = False

    def feed(self, piece: bytes) -> Iterator[str]:
        """The data of the events that are whole now.

        Raises:
            StreamBroken: An event is too large.
        """
        text = self._decoder.decode(piece)
        if not self._begun and text:
            self._begun = True
            text = text.removeprefix("\ufeff")
        start = 0
        for place, char in enumerate(text):
            if char == "\n" and self._after_return:
                # The second half of a line end that was taken already.
                self._after_return = False
                start = place + 1
            elif char in "\r\n":
                self._after_return = char == "\r"
                self._take(text[start:place])
                start = place + 1
                yield from self._end_of_line()
            else:
                self._after_return = False
        self._take(text[start:])

    def _take(self, part: str) -> None:
        if part:
            self._line.append(part)
            self._size += len(part)
            if self._size > MAX_EVENT:
                raise StreamBroken("an event is too large", details={"reason": "event_too_large"}, retryable=False)

    def _end_of_line(self) -> Iterator[str]:
        line = "".join(self._line)
        self._line.clear()
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            return
        if self._data:
            yield "\n".join(self._data)
        self._data.clear()
        self._size = 0
