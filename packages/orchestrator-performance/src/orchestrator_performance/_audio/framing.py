"""Cutting a stream into frames of equal length."""

from __future__ import annotations

from orchestrator_performance._audio.errors import MAX_CHUNK, AudioError

__all__ = ["FRAME_MS", "Framer", "frame_bytes"]

FRAME_MS = 20
"""The length of a frame on a telephone line."""


def frame_bytes(sample_rate: int, *, milliseconds: int = FRAME_MS, width: int = 2) -> int:
    """Bytes of a frame; `width` is bytes per sample: 2 for PCM, 1 for G.711.

    Raises:
        AudioError: That is no whole number of samples.

    >>> frame_bytes(8000), frame_bytes(8000, width=1)
    (320, 160)
    """
    samples, rest = divmod(sample_rate * milliseconds, 1000)
    if rest or samples <= 0:
        raise AudioError(f"{milliseconds} ms are no whole number of samples at {sample_rate} Hz")
    return samples * width


class Framer:
    """Cuts pieces of any length into frames of `size` bytes; a piece that is one frame is passed on as it is.

    >>> framer = Framer(4)
    >>> [bytes(frame) for frame in framer.feed(b"abcdef")]
    [b'abcd']
    >>> framer.rest(b"-")
    b'ef--'
    """

    def __init__(self, size: int, *, stream: str = "") -> None:
        if size <= 0:
            raise AudioError(f"a frame of {size} bytes")
        self._size = size
        self._stream = stream
        self._held = b""
        self._offset = 0

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now.

        Raises:
            AudioError: A piece is larger than any can be; it is dropped.
        """
        size = self._size
        if len(data) == size and not self._held:
            self._offset += size
            return [data]
        if len(data) > MAX_CHUNK:
            raise AudioError(f"{len(data)} bytes in one piece", stream=self._stream, offset=self._offset)
        self._offset += len(data)
        if self._held:
            data = self._held + data
        whole = len(data) - len(data) % size
        self._held = data[whole:]
        return [data[start : start + size] for start in range(0, whole, size)]

    def rest(self, fill: bytes = b"\0") -> bytes:
        """The last frame, filled up; empty when nothing waits."""
        held, self._held = self._held, b""
        return held.ljust(self._size, fill) if held else b""
