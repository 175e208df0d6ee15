"""Playing sentences on a media leg: paced frames, stopped at once, with a true account of what was heard.

What the runtime says: `player.speak(...)` for each sentence in order, `player.stop()` at a barge-in. The pure parts are the cutting into
frames and the counting of heard words; the shell is one task that sends 20 ms frames in real time, a little ahead.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from orchestrator_calls._leg import LegPlayer, MediaClosed, MediaSink, Permit, Report
from orchestrator_calls._sounding import FRAME_MS, FrameCutter, Sounding, heard_words
from orchestrator_calls.events import EventType
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock, Json, Speech, SpeechChunk, SpeechFailed, SpeechRequest

__all__ = ["FRAME_MS", "LegPlayer", "MediaClosed", "MediaSink", "Permit", "Player", "Report", "heard_words"]

logger = logging.getLogger(__name__)

CLEAR_LIMIT: Final = 0.25
"""Seconds that a leg has to tell how much it played before it dropped the rest."""

PROGRESS_EVERY: Final = 1.0
"""Seconds between two reports of what was heard by now, where our clock tells."""

GRAIN: Final = 2e-6
"""Seconds by which a frame may go out early: a sum of floats may fall short of what it should be."""

FINISH_LIMIT: Final = 1.0
"""Seconds after which a sentence counts as finished though the leg did not say so."""


class _Ended(Exception):
    """The last message was sent."""


class Player:
    """Plays the sentences of one call on one media leg, one after the other.

    Args:
        speech: The voice.
        sink: The leg.
        clock: Paces the frames.
        report: Called with every report; must not block.
        permit: Asked before a sentence begins; None to begin at once.
        lead: How many seconds a frame is sent before it is due, so that the network's jitter is not heard.
    """

    def __init__(
        self,
        speech: Speech,
        sink: MediaSink,
        clock: Clock,
        report: Callable[[Report], None],
        *,
        permit: Permit | None = None,
        lead: float = 0.06,
    ) -> None:
        self._permit = permit
        self._speech = speech
        self._sink = sink
        self._clock = clock
        self._report = report
        self._lead = lead
        self._queue: deque[Sounding] = deque()
        self._controls: deque[Mapping[str, Json]] = deque()
        self._sounding: dict[str, Sounding] = {}
        self._voices: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._head = 0.0
        self._current: Sounding | None = None
        self._ending = False

    @property
    def silent(self) -> bool:
        """Whether nothing is played, and nothing is left to be reported."""
        return not (self._sounding or self._queue)

    @property
    def begun(self) -> frozenset[str]:
        """The sentences of which something was sent, and whose end is not reported yet."""
        return frozenset(key for key, item in self._sounding.items() if item.started is not None)

    def speak(self, key: str, request: SpeechRequest, since: float | None = None) -> None:
        """Play a sentence after the ones before it; `since` is when its turn began (monotonic), for the latency."""
        self._queue.append(Sounding(key, request, since))
        if self._current is not None:
            self._begin_voices(self._current)
        self._wake.set()

    def through(self, turn: str) -> None:
        """Each sentence has an end of its own here, so a turn needs none."""

    def control(self, message: Mapping[str, Json]) -> None:
        """Send a control message as soon as possible."""
        self._controls.append(message)
        self._wake.set()

    def stop(self, keys: Collection[str] | None = None, *, reason: str = "interrupted") -> None:
        """Send no further frame of these sentences (of all), tell the leg to drop what it has, and report what was heard of each.

        A leg that reports has a quarter of a second to tell what it played; after that our clock tells.
        """
        now = self._clock.monotonic()
        for item in [*self._sounding.values(), *self._queue]:
            if item.stopped or (keys is not None and item.key not in keys):
                continue
            item.stop(now, reason)
            item.settle_at = now + (CLEAR_LIMIT if self._sink.reports and item.started is not None else 0)
            self._head = now
            self._sounding[item.key] = item
            if item.announced:
                self._controls.append({"type": "clear", "key": item.key})
        self._queue = deque(item for item in self._queue if not item.stopped)
        self._settle()
        self._wake.set()

    def end(self, message: Mapping[str, Json]) -> None:
        """Send a last message and play nothing more; `run` returns then. What was never begun is not reported."""
        self._ending = True
        self.control(message)

    def reported(self, kind: EventType, key: str, played_ms: int) -> None:
        """The leg told how long it has played a sentence, or that it is through with it; its word counts above our clock.

        A report about a sentence that is not sounding is late or invented, and is ignored.
        """
        item = self._sounding.get(key)
        if item is None or kind is EventType.PLAYBACK_STARTED:
            return
        self._wake.set()
        played = max(0, min(played_ms, item.sent_ms))
        if kind is EventType.PLAYBACK_FINISHED and item.complete and not item.stopped:
            self._finish(item)
        elif kind is EventType.PLAYBACK_CLEARED or (kind is EventType.PLAYBACK_FINISHED and item.stopped):
            if not item.stopped:
                item.stop(self._clock.monotonic(), "interrupted")
                self._head = self._clock.monotonic()
            item.played_ms = played
            self._clear(item)
        elif (heard := item.heard(played)) != item.progress:
            # Through with what it has so far, while the voice is still speaking, is progress; and only another word is news.
            item.progress = heard
            self._report(Report(EventType.PLAYBACK_PROGRESS, key, played, heard))

    async def run(self) -> None:
        """Play until cancelled, until the last message is sent, or until the other side is gone (MediaClosed)."""
        try:
            while True:
                await self._between()
                if self._queue and not self._ending:
                    await self._play(self._queue.popleft())
                else:
                    await self._rest(lambda: bool(self._queue) and not self._ending)
        except _Ended:
            return
        finally:
            await self._abandon()

    # --- one sentence -------------------------------------------------------------------------------------------------------

    async def _play(self, item: Sounding) -> None:
        """Send the voice's chunks as frames in time, the last one filled with silence."""
        self._sounding[item.key] = self._current = item
        self._begin_voices(item)
        try:
            cutter: FrameCutter | None = None
            if not await self._permitted(item):
                return
            while (chunk := await self._next(item)) is not None:
                cutter = cutter or await self._announce(item, chunk.sample_rate)
                await self._frames(item, cutter.feed(chunk.pcm))
            if cutter is not None and not item.stopped:
                await self._frames(item, cutter.rest())
            if not item.stopped:
                await self._end(item)
        except SpeechFailed as error:
            self._fail(item, error)
        finally:
            self._current = None

    async def _permitted(self, item: Sounding) -> bool:
        """Whether the sentence may begin; the answer is waited for while the voice is already at work."""
        if self._permit is None:
            return True
        asked = asyncio.ensure_future(self._permit(item.key))
        asked.add_done_callback(lambda _: self._wake.set())
        try:
            while not asked.done() and not item.stopped:
                await self._rest(lambda: asked.done() or item.stopped)
                await self._between()
            permitted = not item.stopped and asked.result()
        finally:
            asked.cancel()
        if not permitted and not item.stopped:
            item.stop(self._clock.monotonic(), "refused")
            self._sounding.pop(item.key, None)
        return permitted

    def _begin_voices(self, current: Sounding) -> None:
        """Begin with what is to be played, and with the sentence after it, so that no pause is heard between them."""
        for item in (current, *list(self._queue)[:1]):
            if item.voice is None and not item.stopped:
                item.voice = asyncio.create_task(item.speak(self._speech, self._wake.set), name=f"speech {item.key}")
                self._voices.add(item.voice)
                item.voice.add_done_callback(self._voices.discard)

    async def _next(self, item: Sounding) -> SpeechChunk | None:
        """The next piece; None at the end. Between pieces the other sentences are looked after."""
        while not item.stopped:
            if item.pieces:
                piece = item.pieces.popleft()
                if isinstance(piece, Exception):
                    self._fail(item, piece)
                    return None
                return piece
            await self._rest(lambda: bool(item.pieces) or item.stopped)
            await self._between()
        return None

    async def _announce(self, item: Sounding, sample_rate: int) -> FrameCutter:
        cutter = FrameCutter(sample_rate)
        item.announced = True
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
        return cutter

    async def _frames(self, item: Sounding, frames: Iterable[bytes]) -> None:
        for frame in frames:
            if item.started is None:
                item.started = max(self._clock.monotonic(), self._head)
            # A voice that was slow let the other side's buffer run dry: all that follows is heard later.
            item.started += max(0.0, self._clock.monotonic() - item.ends)
            due = item.ends - self._lead
            while not item.stopped and (delay := due - self._clock.monotonic()) > GRAIN:
                await self._pause(delay, lambda: item.stopped)
                await self._between()
            if item.stopped:
                return
            await self._sink.audio(frame)
            if item.sent_ms == 0:
                latency = None if item.since is None else (self._clock.monotonic() - item.since) * 1000
                self._report(Report(EventType.PLAYBACK_STARTED, item.key, latency_ms=latency))
            item.sent_ms += FRAME_MS
            if not self._sink.reports:
                self._progress()

    async def _end(self, item: Sounding) -> None:
        if item.started is None:
            raise SpeechFailed("the voice spoke nothing")
        item.complete = True
        self._head = item.ends
        item.settle_at = item.ends + (FINISH_LIMIT if self._sink.reports else 0)
        await self._sink.control({"type": "end", "key": item.key, "duration_ms": item.sent_ms})

    def _fail(self, item: Sounding, error: Exception) -> None:
        """The voice broke: what was sent may be heard, the rest was never spoken."""
        code = error.code if isinstance(error, OrchestratorError) else type(error).__name__
        logger.warning("speech failed", extra={"sentence": item.key, "code": code}, exc_info=error)
        item.stop(self._clock.monotonic(), code)
        item.played_ms = item.sent_ms
        self._head = max(self._head, self._clock.monotonic(), item.ends)
        if item.announced:
            self._controls.append({"type": "end", "key": item.key, "duration_ms": item.sent_ms})
        self._clear(item)

    def _progress(self) -> None:
        """Tell once a second what has been heard, so that a crash costs no more than the last words of it."""
        now = self._clock.monotonic()
        for item in self._sounding.values():
            if item.started is None or item.stopped or now < max(item.told, item.started) + PROGRESS_EVERY:
                continue
            item.told = now
            played = item.played(now)
            if (heard := item.heard(played)) != item.progress:
                item.progress = heard
                self._report(Report(EventType.PLAYBACK_PROGRESS, item.key, played, heard))

    # --- between frames -----------------------------------------------------------------------------------------------------

    async def _between(self) -> None:
        """Send what is to be said besides, and report the sentences whose end came."""
        while self._controls:
            await self._sink.control(self._controls.popleft())
        self._settle()
        if self._ending and not any(item.stopped for item in self._sounding.values()):
            raise _Ended

    def _settle(self) -> None:
        """Report the sentences whose end came without a word from the leg."""
        now = self._clock.monotonic()
        for item in [
            each for each in self._sounding.values() if each.settle_at is not None and each.settle_at <= now + GRAIN
        ]:
            if item.stopped:
                self._clear(item)
            else:
                self._finish(item)

    def _finish(self, item: Sounding) -> None:
        del self._sounding[item.key]
        self._report(Report(EventType.PLAYBACK_FINISHED, item.key, item.sent_ms))

    def _clear(self, item: Sounding) -> None:
        self._sounding.pop(item.key, None)
        heard = item.heard(item.played_ms)
        self._report(Report(EventType.PLAYBACK_CLEARED, item.key, item.played_ms, heard, reason=item.reason))

    async def _rest(self, until: Callable[[], bool]) -> None:
        """Wait until there is something to do, or to be reported."""
        ends = [item.settle_at for item in self._sounding.values() if item.settle_at is not None]
        await self._pause(min(ends) - self._clock.monotonic() if ends else None, until)

    async def _pause(self, delay: float | None, until: Callable[[], bool]) -> None:
        """Sleep, but wake when something happens; not at all when `until` holds already."""
        self._wake.clear()
        if self._controls or until() or (delay is not None and delay <= 0):
            return
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _abandon(self) -> None:
        """The leg is gone: end the voice, and report what was heard as far as our clock can tell."""
        now = self._clock.monotonic()
        await cancel(*self._voices)
        for item in list(self._sounding.values()):
            if not item.stopped:
                item.stop(now, "leg lost")
            if item.started is not None:
                self._clear(item)
        self._sounding.clear()
        self._queue.clear()
