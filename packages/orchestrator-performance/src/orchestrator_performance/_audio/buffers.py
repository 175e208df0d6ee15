"""The audio that waits in a process: per stream a queue of immutable frames, and one limit in bytes over all of them.

A queue that is full loses its oldest frame, for old audio is worth less than new: nobody waits for it any more. What was lost is counted. When all streams
together reach the limit, the stream that keeps most of it loses its oldest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._audio.errors import AudioBusy, AudioError

__all__ = ["AudioBudget", "BudgetStats", "BufferStats", "FrameBuffer"]


@dataclass(frozen=True, slots=True)
class BufferStats:
    """One stream: frames and bytes that wait now, and what was put, taken and lost since it began."""

    stream: str
    frames: int
    bytes: int
    put: int
    taken: int
    dropped: int


@dataclass(frozen=True, slots=True)
class BudgetStats:
    """All streams of a process.

    Attributes:
        streams: That are open.
        bytes: That wait now, `peak` the most that ever did, and `limit` the most that may.
        put, taken, dropped: Frames of all streams since the process began.
        refused: Streams that were not opened, because there were as many as may be.
    """

    streams: int
    bytes: int
    peak: int
    limit: int
    put: int
    taken: int
    dropped: int
    refused: int


class AudioBudget:
    """How much audio the streams of a process may keep together.

    Args:
        limit: Bytes; 64 MiB are 70 minutes of telephone PCM.
        max_streams: How many may be open at once.
    """

    def __init__(self, limit: int = 67_108_864, *, max_streams: int = 10_000) -> None:
        if limit <= 0 or max_streams <= 0:
            raise ConfigurationError("limit and max_streams must be positive", details={"setting": "limit"})
        self.limit = limit
        self._max_streams = max_streams
        self._buffers: dict[str, FrameBuffer] = {}
        self._bytes = self._peak = self._put = self._taken = self._dropped = self._refused = 0

    def open(self, stream: str, *, max_frames: int = 250) -> FrameBuffer:
        """A buffer for a stream; close it when the stream is over.

        Raises:
            AudioError: The stream has one.
            AudioBusy: There are as many streams as may be.
        """
        if stream in self._buffers:
            raise AudioError("it has a buffer already", stream=stream)
        if len(self._buffers) >= self._max_streams:
            self._refused += 1
            raise AudioBusy(f"there are {self._max_streams} streams of audio already", retry_after=1.0)
        buffer = self._buffers[stream] = FrameBuffer(stream, self, max_frames)
        return buffer

    def stats(self) -> BudgetStats:
        """What is kept now, and what became of the rest."""
        return BudgetStats(
            streams=len(self._buffers),
            bytes=self._bytes,
            peak=self._peak,
            limit=self.limit,
            put=self._put,
            taken=self._taken,
            dropped=self._dropped,
            refused=self._refused,
        )

    def streams(self) -> list[BufferStats]:
        """Each open stream."""
        return [buffer.stats() for buffer in self._buffers.values()]

    # --- for the buffers ----------------------------------------------------------------------------------------------------

    def added(self, size: int) -> bool:
        """A frame was put into a buffer; whether more is kept now than may be."""
        self._put += 1
        self._bytes += size
        if self._bytes > self.limit:
            self._peak = self.limit
            return True
        if self._bytes > self._peak:  # noqa: PLR1730 - mostly it is not, and a call costs as much as all of this
            self._peak = self._bytes
        return False

    def removed(self, size: int, *, taken: bool) -> None:
        """A frame left a buffer."""
        self._bytes -= size
        if taken:
            self._taken += 1
        else:
            self._dropped += 1

    def shed(self, newest: FrameBuffer) -> None:
        """Lose old frames until the limit holds: those of the newest's own stream if it has its fair share, of the largest otherwise."""
        while self._bytes > self.limit:
            fair = self.limit // len(self._buffers)
            fullest = newest if newest.bytes > fair else max(self._buffers.values(), key=_bytes_of)
            fullest.drop_oldest()

    def closed(self, stream: str) -> None:
        """A stream is over."""
        self._buffers.pop(stream, None)


def _bytes_of(buffer: FrameBuffer) -> int:
    return buffer.bytes


class FrameBuffer:
    """The frames of one stream that wait to be taken; made by `AudioBudget.open`, for one event loop.

    A frame that is `bytes` is kept as it is, never copied; what is mutable is copied once, so that nobody can change it later.
    """

    def __init__(self, stream: str, budget: AudioBudget, max_frames: int) -> None:
        if max_frames <= 0:
            raise ConfigurationError("max_frames must be positive", details={"setting": "max_frames"})
        self.stream = stream
        self.bytes = 0
        self._budget = budget
        self._max_frames = max_frames
        self._frames: deque[bytes] = deque()
        self._put = self._taken = self._dropped = 0
        self._closed = False
        self._news: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes | bytearray | memoryview) -> int:
        """Add a frame; how many older frames of this stream were lost for it.

        Raises:
            AudioError: The buffer is closed, the frame is empty, or larger than all streams together may be; the stream goes on.
        """
        if self._closed:
            raise AudioError("the buffer is closed", stream=self.stream)
        if not isinstance(frame, bytes):
            frame = bytes(frame)
        size = len(frame)
        if not 0 < size <= self._budget.limit:
            raise AudioError(f"a frame of {size} bytes", stream=self.stream)
        before = self._dropped
        if len(self._frames) >= self._max_frames:
            self.drop_oldest()
        self._frames.append(frame)
        self.bytes += size
        self._put += 1
        if self._budget.added(size):
            self._budget.shed(self)
        if self._news is not None:
            self._wake()
        return self._dropped - before

    def take(self) -> bytes | None:
        """The oldest frame; None when there is none."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._left(frame, taken=True)
        self._taken += 1
        return frame

    def waiting(self) -> tuple[bytes, ...]:
        """The frames, oldest first; they stay where they are."""
        return tuple(self._frames)

    def drop_oldest(self) -> None:
        """Lose a frame."""
        self._left(self._frames.popleft(), taken=False)
        self._dropped += 1

    def clear(self) -> int:
        """Lose all frames; how many there were."""
        count = len(self._frames)
        for _ in range(count):
            self.drop_oldest()
        return count

    def _left(self, frame: bytes, *, taken: bool) -> None:
        self.bytes -= len(frame)
        self._budget.removed(len(frame), taken=taken)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The frames as they come, for one reader; ends when the buffer is closed and empty."""
        while True:
            while (frame := self.take()) is not None:
                yield frame
            if self._closed:
                return
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def end(self) -> None:
        """No further frame comes; what waits may still be taken. Without a reader, `close` it."""
        self._closed = True
        self._wake()

    def close(self) -> None:
        """The stream is over: what waits is lost, and its room is free at once. Closing twice is harmless."""
        self.end()
        self.clear()
        self._budget.closed(self.stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def stats(self) -> BufferStats:
        """What waits, and what became of the rest."""
        return BufferStats(self.stream, len(self._frames), self.bytes, self._put, self._taken, self._dropped)
