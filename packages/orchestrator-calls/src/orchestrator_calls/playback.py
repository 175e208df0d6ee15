"""Playing sentences on a media leg: paced frames, stopped at once, with a true account of what was heard.

What the runtime says: `player.speak(...)` for each sentence in order, `player.stop()` at a barge-in. The pure parts are the slicing into
frames and the counting of heard words; the shell is one task that sends 20 ms frames in real time, a little ahead.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Protocol

from orchestrator_calls.events import EventType
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import Clock, Json, Speech, SpeechChunk, SpeechFailed, SpeechRequest, WordTiming

__all__ = ["FRAME_MS", "MediaClosed", "MediaSink", "Player", "Report", "heard_words"]

logger = logging.getLogger(__name__)

FRAME_MS: Final = 20
"""The length of an audio frame on the media socket."""

CLEAR_LIMIT: Final = 0.25
"""Seconds that a leg has to tell how much it played before it dropped the rest."""

FINISH_LIMIT: Final = 1.0
"""Seconds after which a sentence counts as finished though the leg did not say so."""


class MediaClosed(Exception):
    """The other side of the media leg is gone."""


class MediaSink(Protocol):
    """Where frames and control messages of one media leg go, in the order they are sent."""

    @property
    def reports(self) -> bool:
        """Whether the other side tells what it played; otherwise the player's own clock tells."""
        ...

    async def audio(self, frame: bytes) -> None:
        """Send one frame. Raises MediaClosed."""
        ...

    async def control(self, message: Mapping[str, Json]) -> None:
        """Send one control message. Raises MediaClosed."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a sentence; `heard` is None where the sentence's words tell it."""

    type: EventType
    key: str
    played_ms: int = 0
    heard: str | None = None
    reason: str = ""
    latency_ms: float | None = None


def _chunks() -> asyncio.Queue[SpeechChunk | Exception | None]:
    return asyncio.Queue()


@dataclass(slots=True)
class _Item:
    """One sentence on its way; times are monotonic seconds."""

    key: str
    request: SpeechRequest
    since: float | None
    chunks: asyncio.Queue[SpeechChunk | Exception | None] = field(default_factory=_chunks)
    synthesis: asyncio.Task[None] | None = None
    words: list[WordTiming] = field(default_factory=list[WordTiming])
    started: float | None = None
    sent_ms: int = 0
    complete: bool = False
    stopped: bool = False
    settle_at: float | None = None
    played_ms: int = 0


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


class Player:
    """Plays the sentences of one call on one media leg, one after the other.

    Args:
        speech: The voice.
        sink: The leg.
        clock: Paces the frames.
        report: Called with every report; must not block.
        lead: How many seconds a frame is sent before it is due, so that the network's jitter is not heard.
    """

    def __init__(
        self, speech: Speech, sink: MediaSink, clock: Clock, report: Callable[[Report], None], *, lead: float = 0.06
    ) -> None:
        self._speech = speech
        self._sink = sink
        self._clock = clock
        self._report = report
        self._lead = lead
        self._queue: deque[_Item] = deque()
        self._controls: deque[Mapping[str, Json]] = deque()
        self._sounding: dict[str, _Item] = {}
        self._wake = asyncio.Event()
        self._head = 0.0

    def speak(self, key: str, request: SpeechRequest, since: float | None = None) -> None:
        """Play a sentence after the ones before it; `since` is when its turn began (monotonic), for the latency."""
        self._queue.append(_Item(key, request, since))
        self._wake.set()

    def control(self, message: Mapping[str, Json]) -> None:
        """Send a control message as soon as possible."""
        self._controls.append(message)
        self._wake.set()

    def stop(self, keys: Collection[str] | None = None) -> None:
        """Send no further frame of these sentences (of all), tell the leg to drop what it has, and report what was heard of each.

        A leg that reports has a quarter of a second to tell what it played; after that our clock tells.
        """
        now = self._clock.monotonic()
        for item in [*self._sounding.values(), *self._queue]:
            if item.stopped or (keys is not None and item.key not in keys):
                continue
            self._head = now
            item.stopped = True
            item.played_ms = self._played(item, now)
            item.settle_at = now + (CLEAR_LIMIT if self._sink.reports and item.started is not None else 0)
            item.chunks.put_nowait(None)
            if item.synthesis is not None:
                item.synthesis.cancel()
            self._sounding[item.key] = item
            self._controls.append({"type": "clear", "key": item.key})
        self._queue = deque(item for item in self._queue if not item.stopped)
        self._settle()
        self._wake.set()

    def reported(self, kind: EventType, key: str, played_ms: int) -> None:
        """The leg told how long it has played a sentence, or that it is through with it; its word counts above our clock.

        A report about a sentence that is not sounding is late or invented, and is ignored.
        """
        item = self._sounding.get(key)
        if item is None or kind is EventType.PLAYBACK_STARTED:
            return
        played = max(0, min(played_ms, item.sent_ms))
        if kind is not EventType.PLAYBACK_PROGRESS:
            del self._sounding[key]
        finished = kind is EventType.PLAYBACK_FINISHED and item.complete
        if finished:
            self._report(Report(kind, key, item.sent_ms))
        else:
            told = EventType.PLAYBACK_CLEARED if kind is EventType.PLAYBACK_FINISHED else kind
            reason = "interrupted" if told is EventType.PLAYBACK_CLEARED else ""
            self._report(Report(told, key, played, _heard(item, played), reason=reason))

    async def run(self) -> None:
        """Play until cancelled, or until the other side is gone (MediaClosed)."""
        try:
            while True:
                await self._between()
                if self._queue:
                    await self._play(self._queue.popleft())
                else:
                    await self._rest()
        finally:
            await self._abandon()

    # --- one sentence -------------------------------------------------------------------------------------------------------

    async def _play(self, item: _Item) -> None:
        """Cut the voice's chunks into whole frames, the last one filled with silence, and send them in time."""
        self._sounding[item.key] = item
        self._synthesize(item)
        buffer = bytearray()
        size = 0
        while not item.stopped:
            chunk = await self._next(item)
            if chunk is None:
                break
            if not size:
                size = chunk.sample_rate * FRAME_MS // 1000 * 2
                await self._announce(item, chunk.sample_rate)
            item.words.extend(chunk.words)
            buffer += chunk.pcm
            while len(buffer) >= size and not item.stopped:
                await self._frame(item, bytes(buffer[:size]))
                del buffer[:size]
        if buffer and not item.stopped:
            await self._frame(item, bytes(buffer.ljust(size, b"\0")))
        if not item.stopped:
            await self._end(item)

    def _synthesize(self, item: _Item) -> None:
        """Begin with a sentence, and with the one after it, so that no pause is heard between them."""
        for each in (item, *list(self._queue)[:1]):
            if each.synthesis is None:
                each.synthesis = asyncio.create_task(self._voice(each), name=f"speech {each.key}")

    async def _voice(self, item: _Item) -> None:
        try:
            async with aclosing(self._speech.synthesize(item.request)) as chunks:
                async for chunk in chunks:
                    item.chunks.put_nowait(chunk)
        except Exception as error:  # noqa: BLE001 - told to the player, which reports it
            item.chunks.put_nowait(error)
        else:
            item.chunks.put_nowait(None)

    async def _next(self, item: _Item) -> SpeechChunk | None:
        chunk = await item.chunks.get()
        if isinstance(chunk, Exception):
            self._fail(item, chunk)
            return None
        return chunk

    async def _announce(self, item: _Item, sample_rate: int) -> None:
        await self._sink.control(
            {
                "type": "speech",
                "key": item.key,
                "text": item.request.text,
                "language": item.request.language,
                "encoding": "pcm_s16le",
                "sample_rate": sample_rate,
                "frame_ms": FRAME_MS,
            }
        )

    async def _frame(self, item: _Item, frame: bytes) -> None:
        now = self._clock.monotonic()
        if item.started is None:
            item.started = max(now, self._head)
        # A voice that was slow let the other side's buffer run dry: all that follows is heard later.
        item.started += max(0.0, now - (item.started + item.sent_ms / 1000))
        due = item.started + item.sent_ms / 1000 - self._lead
        while not item.stopped and (delay := due - self._clock.monotonic()) > 0:
            await self._pause(delay)
            await self._between()
        if item.stopped:
            return
        await self._sink.audio(frame)
        if item.sent_ms == 0:
            latency = None if item.since is None else (self._clock.monotonic() - item.since) * 1000
            self._report(Report(EventType.PLAYBACK_STARTED, item.key, latency_ms=latency))
        item.sent_ms += FRAME_MS

    async def _end(self, item: _Item) -> None:
        if item.started is None:
            self._fail(item, SpeechFailed("the voice spoke nothing"))
            return
        item.complete = True
        self._head = item.started + item.sent_ms / 1000
        item.settle_at = self._head + (FINISH_LIMIT if self._sink.reports else 0)
        await self._sink.control({"type": "end", "key": item.key, "duration_ms": item.sent_ms})

    def _fail(self, item: _Item, error: Exception) -> None:
        """The voice broke: what was sent may be heard, the rest was never spoken."""
        code = error.code if isinstance(error, OrchestratorError) else type(error).__name__
        logger.warning("speech failed", extra={"sentence": item.key, "code": code}, exc_info=error)
        item.stopped = True
        self._sounding.pop(item.key, None)
        self._head = (
            max(self._head, self._clock.monotonic()) if item.started is None else item.started + item.sent_ms / 1000
        )
        self._report(
            Report(EventType.PLAYBACK_CLEARED, item.key, item.sent_ms, _heard(item, item.sent_ms), reason=code)
        )

    # --- between frames -----------------------------------------------------------------------------------------------------

    async def _between(self) -> None:
        while self._controls:
            await self._sink.control(self._controls.popleft())
        self._settle()

    def _settle(self) -> None:
        """Report the sentences whose end came without a word from the leg."""
        now = self._clock.monotonic()
        for item in [each for each in self._sounding.values() if each.settle_at is not None and each.settle_at <= now]:
            del self._sounding[item.key]
            if item.stopped:
                heard = _heard(item, item.played_ms)
                self._report(Report(EventType.PLAYBACK_CLEARED, item.key, item.played_ms, heard, reason="interrupted"))
            else:
                self._report(Report(EventType.PLAYBACK_FINISHED, item.key, item.sent_ms))

    async def _rest(self) -> None:
        ends = [item.settle_at for item in self._sounding.values() if item.settle_at is not None]
        await self._pause(min(ends) - self._clock.monotonic() if ends else None)

    async def _pause(self, delay: float | None) -> None:
        """Sleep, but wake for a stop, a sentence or a control message."""
        self._wake.clear()
        if self._controls or (delay is not None and delay <= 0):
            return
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _abandon(self) -> None:
        """The leg is gone: end the voice, and report what was heard as far as our clock can tell."""
        now = self._clock.monotonic()
        items = [*self._sounding.values(), *self._queue]
        voices = [item.synthesis for item in items if item.synthesis is not None]
        for voice in voices:
            voice.cancel()
        await asyncio.gather(*voices, return_exceptions=True)
        for item in items:
            if item.started is not None:
                played = item.played_ms if item.stopped else self._played(item, now)
                self._report(
                    Report(EventType.PLAYBACK_CLEARED, item.key, played, _heard(item, played), reason="leg lost")
                )
        self._sounding.clear()
        self._queue.clear()

    @staticmethod
    def _played(item: _Item, now: float) -> int:
        return 0 if item.started is None else max(0, min(item.sent_ms, round((now - item.started) * 1000)))


def _heard(item: _Item, played_ms: int) -> str:
    return heard_words(item.request.text, item.words, played_ms, item.sent_ms if item.complete else None)
