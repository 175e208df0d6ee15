"""One sentence on its way to the caller: the voice that makes it, its frames, and what of it was heard."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from orchestrator_kernel.ports import Speech, SpeechChunk, SpeechFailed, SpeechRequest, WordTiming

__all__ = ["FRAME_MS", "FrameCutter", "Sounding", "heard_words"]

FRAME_MS: Final = 20
"""The length of an audio frame on the media socket."""


def heard_words(text: str, words: Sequence[WordTiming], played_ms: int, total_ms: int | None) -> str:
    """The words that were fully played after `played_ms`.

    Where the voice told no timings, the words are taken to be spread evenly over `total_ms`; where not even that is known, none counts.
    """
    if words:
        return " ".join(word.word for word in words if word.end_ms <= played_ms)
    spoken = text.split()
    if not total_ms:
        return ""
    return " ".join(spoken[: int(len(spoken) * min(1.0, played_ms / total_ms))])


class FrameCutter:
    """Cuts pieces of any length into whole frames.

    Raises:
        SpeechFailed: A frame at this rate holds no sample.
    """

    def __init__(self, sample_rate: int) -> None:
        self._size = sample_rate * FRAME_MS // 1000 * 2
        self._buffer = bytearray()
        if self._size <= 0:
            raise SpeechFailed(f"the voice speaks at {sample_rate} samples a second")

    def feed(self, pcm: bytes) -> Iterator[bytes]:
        """The frames that are whole now."""
        self._buffer += pcm
        while len(self._buffer) >= self._size:
            frame = bytes(self._buffer[: self._size])
            del self._buffer[: self._size]
            yield frame

    def rest(self) -> Iterator[bytes]:
        """The last frame, filled with silence, if something is left."""
        if self._buffer:
            yield bytes(self._buffer.ljust(self._size, b"\0"))


@dataclass(slots=True)
class Sounding:
    """One sentence on its way; times are monotonic seconds.

    Attributes:
        since: When the turn began that it opens, for the latency.
        pieces: What the voice has made and nobody has taken yet; an error or None is the end.
        announced: The leg was told of it.
        started: When its first frame is heard; None before one was sent.
        sent_ms: How much audio was sent.
        complete: All of it was sent.
        stopped: Nothing more of it is to be sent.
        settle_at: When what was heard of it is taken as known, though the leg told nothing.
        played_ms: How much of it was played when it was stopped.
        progress: The words that were told last, and `told` when.
        reason: Why it was stopped.
    """

    key: str
    request: SpeechRequest
    since: float | None
    pieces: deque[SpeechChunk | Exception | None] = field(default_factory=deque[SpeechChunk | Exception | None])
    voice: asyncio.Task[None] | None = None
    words: list[WordTiming] = field(default_factory=list[WordTiming])
    announced: bool = False
    started: float | None = None
    sent_ms: int = 0
    complete: bool = False
    stopped: bool = False
    settle_at: float | None = None
    played_ms: int = 0
    progress: str = ""
    told: float = 0.0
    reason: str = ""

    async def speak(self, speech: Speech, wake: Callable[[], None]) -> None:
        """Have it spoken; `wake` is called for every piece. What goes wrong becomes the last piece."""
        try:
            async with aclosing(speech.synthesize(self.request)) as chunks:
                async for chunk in chunks:
                    # At once: a word may be told with later samples than its own.
                    self.words.extend(chunk.words)
                    self.pieces.append(chunk)
                    wake()
        except Exception as error:  # noqa: BLE001 - told to the player, which reports it
            self.pieces.append(error)
        else:
            self.pieces.append(None)
        wake()

    @property
    def ends(self) -> float:
        """When its last frame so far has been heard; 0.0 before one was sent."""
        return 0.0 if self.started is None else self.started + self.sent_ms / 1000

    def played(self, now: float) -> int:
        """How many milliseconds of it have been heard by `now`, by our clock."""
        return 0 if self.started is None else max(0, min(self.sent_ms, round((now - self.started) * 1000)))

    def heard(self, played_ms: int) -> str:
        """The words that were fully played after `played_ms`."""
        return heard_words(self.request.text, self.words, played_ms, self.sent_ms if self.complete else None)

    def stop(self, now: float, reason: str) -> None:
        """Nothing more of it is to be made or sent."""
        self.stopped, self.reason, self.played_ms = True, reason, self.played(now)
        if self.voice is not None:
            self.voice.cancel()
