"""Listening on a stream of telephone audio: who begins to speak, what was said, which keys were pressed; each of it an event.

Frames are kept as they came: always the last quarter of a second, and from the beginning of a voice until its end all of them, within the room that the audio path gives. When
the caller pauses, the recognizer is asked already; if the pause proves to be the end, the answer is there. Keys go before words.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from orchestrator_calls.endpointing import Endpointer, EndpointingConfig, Signal
from orchestrator_calls.events import EventType
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import Clock, Json
from orchestrator_kernel.ports.audio import (
    AudioCodec,
    AudioPath,
    ToneDetector,
    Transcriber,
    Transcript,
    TranscriptionFailed,
    Utterance,
)

__all__ = ["EarConfig", "MediaEar", "Tell"]

logger = logging.getLogger(__name__)

SAMPLE_RATE: Final = 8000


class Tell(Protocol):
    """Submits an event: `MediaSession.tell`."""

    async def __call__(self, kind: EventType, /, **payload: Json) -> None:
        """Have it taken in."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EarConfig:
    """How it listens.

    Attributes:
        endpointing: When an utterance begins and ends.
        before_ms: How much of the line before a beginning belongs to the utterance.
        least_voice_ms: An utterance with less voice, of which nothing is understood, is a cough, and none.
        early: Ask the recognizer at a pause already; costs a request more where the caller goes on speaking.
        timeout: Seconds that the recognizer has; with the pause before, a caller waits for less than three seconds until they are asked again.
        language: BCP 47.
        phrases: What callers are expected to say.
        keys: Find keys in the audio; for lines that do not tell them otherwise.
        still_ms: So often a caller who goes on speaking is told of.
    """

    endpointing: EndpointingConfig = field(default_factory=EndpointingConfig)
    before_ms: float = 240.0
    least_voice_ms: float = 200.0
    early: bool = True
    timeout: float = 2.2
    language: str = ""
    phrases: Sequence[str] = ()
    keys: bool = False
    still_ms: float = 4000.0


class MediaEar:
    """Listens to one stream; `hear` every frame, have `run` going meanwhile, and `close` it.

    Args:
        stream: Its name.
        audio: The audio path.
        codec: Of the frames, at 8 kHz.
        transcriber: None where only beginnings and keys are of interest.
        tell: Submits an event.
        speaking: Whether we are speaking at this moment.
        clock: Tells when a caller has ended.
        config: How it listens.

    Raises:
        RateLimitError: There is no room for one more stream.
    """

    def __init__(
        self,
        stream: str,
        *,
        audio: AudioPath,
        codec: AudioCodec,
        transcriber: Transcriber | None,
        tell: Tell,
        speaking: Callable[[], bool],
        clock: Clock,
        config: EarConfig | None = None,
    ) -> None:
        self._config = config or EarConfig()
        self._audio = audio
        self._codec = codec
        self._transcriber = transcriber
        self._tell = tell
        self._speaking = speaking
        self._clock = clock
        self._last_word: float | None = None
        self._endpointer = Endpointer(self._config.endpointing)
        self._tones: ToneDetector | None = audio.tones() if self._config.keys else None
        longest = self._config.endpointing.longest_ms + self._config.before_ms
        self._frames = audio.open(stream, max_frames=round(longest / 20) + 25)
        self._before: deque[bytes] = deque()
        self._still_ms = 0.0
        self._early: asyncio.Task[Transcript] | None = None
        self._ended: asyncio.Queue[tuple[asyncio.Task[Transcript], float, float]] = asyncio.Queue()
        self._asked: set[asyncio.Task[Transcript]] = set()

    def waited(self) -> float | None:
        """Seconds since the last word of the last utterance; None when that was asked for already, or the caller speaks."""
        last, self._last_word = self._last_word, None
        return None if last is None else self._clock.monotonic() - last

    # --- frames -------------------------------------------------------------------------------------------------------------

    async def hear(self, payload: bytes) -> None:
        """Take a frame of the line, of any length.

        Raises:
            ValidationError: It is no frame; the line goes on with the next one.
            OrchestratorError: An event was not taken in.
        """
        pcm, milliseconds = self._codec.decode(payload), len(payload) * 1000 / SAMPLE_RATE
        endpointer = self._endpointer
        talked, voiced = endpointer.talking, endpointer.voiced_ms
        signal = endpointer.feed(self._audio.level(pcm), milliseconds, speaking=self._speaking())
        if self._transcriber is not None:
            self._keep(payload, milliseconds, within=talked or signal is Signal.STARTED)
        if self._tones is not None:
            for digit in self._tones.feed(pcm):
                await self._tell(EventType.DTMF, digit=digit)
        if signal is not None:
            await self._take(signal, voiced)
        elif talked:
            await self._go_on(milliseconds)

    def _keep(self, payload: bytes, milliseconds: float, *, within: bool) -> None:
        """`within` is a frame of an utterance, its last one too; others may prove to be what comes before one."""
        before = self._before
        if within:
            while before:
                self._frames.put(before.popleft())
            self._frames.put(payload)
            return
        before.append(payload)
        while len(before) * milliseconds > self._config.before_ms:
            before.popleft()

    async def _take(self, signal: Signal, voiced_ms: float) -> None:
        match signal:
            case Signal.STARTED:
                self._still_ms, self._last_word = 0.0, None
                await self._tell(EventType.SPEECH_STARTED)
            case Signal.PAUSED:
                if self._config.early and self._transcriber is not None:
                    self._early = self._ask()
            case Signal.RESUMED:
                self._forget()
            case Signal.ENDED:
                last_word = self._last_word = self._clock.monotonic() - self._endpointer.silent_ms / 1000
                self._end(voiced_ms, last_word)

    async def _go_on(self, milliseconds: float) -> None:
        """A caller who speaks for long is not silent."""
        self._still_ms += milliseconds
        if self._still_ms >= self._config.still_ms:
            self._still_ms = 0.0
            await self._tell(EventType.TRANSCRIPTION, text="", final=False)

    # --- utterances ---------------------------------------------------------------------------------------------------------

    def _end(self, voiced_ms: float, last_word: float) -> None:
        if self._transcriber is None:
            return
        task, self._early = self._early or self._ask(), None
        self._frames.clear()
        self._ended.put_nowait((task, voiced_ms, last_word))

    def _ask(self) -> asyncio.Task[Transcript]:
        task = asyncio.create_task(self._transcribe(self._frames.waiting()), name="transcribe")
        self._asked.add(task)
        task.add_done_callback(self._answered)
        return task

    def _answered(self, task: asyncio.Task[Transcript]) -> None:
        self._asked.discard(task)
        # One that nobody asks for any more may have failed.
        if not task.cancelled():
            task.exception()

    def _forget(self) -> None:
        if self._early is not None:
            self._early.cancel()
            self._early = None

    async def _transcribe(self, frames: Sequence[bytes]) -> Transcript:
        if self._transcriber is None:
            return Transcript(text="")
        rate = self._transcriber.sample_rate
        # Another rate takes a while to compute; the loop has other callers.
        pcm = await asyncio.to_thread(self._decoded, frames, rate)
        utterance = Utterance(
            pcm=pcm, sample_rate=rate, language=self._config.language, phrases=tuple(self._config.phrases)
        )
        try:
            async with asyncio.timeout(self._config.timeout):
                return await self._transcriber.transcribe(utterance)
        except TimeoutError:
            raise TranscriptionFailed(f"the recognizer took longer than {self._config.timeout:g} s") from None

    def _decoded(self, frames: Sequence[bytes], rate: int) -> bytes:
        resampler = self._audio.resampler(SAMPLE_RATE, rate)
        return b"".join([*(resampler.feed(self._codec.decode(frame)) for frame in frames), resampler.flush()])

    # --- what was said ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell what was said, one utterance after the other, until cancelled."""
        try:
            while True:
                await self._told(*await self._ended.get())
        finally:
            self.close()

    def close(self) -> None:
        """The line is over: its room is free, and nothing more is asked. Closing twice is harmless."""
        for task in list(self._asked):
            task.cancel()
        self._frames.close()

    async def _told(self, task: asyncio.Task[Transcript], voiced_ms: float, last_word: float) -> None:
        try:
            transcript = await task
        except OrchestratorError as error:
            logger.warning("an utterance was not recognized", extra={"code": error.code})
            await self._tell(EventType.ERROR, code=error.code, message=error.message, fatal=False)
            transcript = Transcript(text="")
        text = transcript.text.strip()
        if not text and voiced_ms < self._config.least_voice_ms:
            return
        # Words that nobody understood are a turn too: the caller is to be asked again.
        payload: dict[str, Json] = {"text": text, "final": True}
        if text:
            payload["recognition_ms"] = round((self._clock.monotonic() - last_word) * 1000)
        if transcript.confidence is not None:
            payload["confidence"] = transcript.confidence
        if transcript.language or self._config.language:
            payload["language"] = transcript.language or self._config.language
        await self._tell(EventType.TRANSCRIPTION, **payload)
