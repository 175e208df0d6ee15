"""One sentence on its way through the embedded voice: which piece is next, and what its frames mean. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, WordTiming
from orchestrator_utils._speech_checks import SpeechLimits
from orchestrator_utils._speech_frames import Frame, Kind, pack_say, unpack_done, unpack_words
from orchestrator_utils._speech_text import Segment, WordTracker, segments

__all__ = ["NORMAL_WORDS_PER_MINUTE", "Sentence"]

NORMAL_WORDS_PER_MINUTE = 175
"""espeak-ng's own default."""

_REASONS = {"unknown_voice": "has no voice of that name", "engine_error": "reported an error"}


@dataclass(slots=True)
class Sentence:
    """A sentence is spoken piece by piece, so that a long one does not keep the others waiting.

    `payload` is the next piece for a child; `take` is given what comes back; `finished` says that nothing is left.

    Attributes:
        voice: espeak-ng's name of a voice.
        speed: Times the normal speed.
        text: What to say.
        limits: How long the audio may become.
    """

    voice: str
    speed: float
    text: str
    limits: SpeechLimits
    _left: deque[Segment] = field(init=False)
    _rate: int = field(init=False, default=0)
    _done: int = field(init=False, default=0)
    _in_segment: int = field(init=False, default=0)
    _spoken: bool = field(init=False, default=False)
    _words: tuple[WordTiming, ...] = field(init=False, default=())
    _tracker: WordTracker | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._left = deque(segments(self.text))

    @property
    def finished(self) -> bool:
        """Whether every piece has been spoken."""
        return not self._left

    def payload(self, rate: int) -> bytes:
        """What to tell a child whose voice makes `rate` samples per second."""
        segment = self._left[0]
        self._rate = rate
        self._in_segment = 0
        self._tracker = WordTracker(segment.words, rate, self._done)
        return pack_say(self.voice, round(NORMAL_WORDS_PER_MINUTE * self.speed), segment.text)

    def take(self, frame: Frame) -> SpeechChunk | None:
        """A frame of the current piece as a piece of speech; None if it tells nothing to the listener.

        Raises:
            SpeechFailed: The child reports a failure, the audio is too long, or less than the child says it sent.
        """
        tracker = self._tracker
        if tracker is None:
            raise self._failure("answered without being asked", "protocol")
        if frame.kind is Kind.WORDS:
            # They are told with the next audio, which is about to follow.
            for place in unpack_words(frame.payload):
                self._words += tracker.reach(*place)
            self._spoken = True
            return None
        if frame.kind is Kind.AUDIO:
            return self._chunk(frame.payload)
        if frame.kind is Kind.DONE:
            return self._end_of_segment(tracker, *unpack_done(frame.payload))
        reason = frame.payload.decode("ascii", "replace")
        raise self._failure(_REASONS.get(reason, "failed"), reason if reason in _REASONS else "engine_error")

    def _end_of_segment(self, tracker: WordTracker, samples: int, rest: bytes) -> SpeechChunk:
        if samples != self._in_segment + len(rest) // 2:
            raise self._failure("lost a part of its audio", "audio_truncated")
        segment = self._left.popleft()
        if self.finished and not self._spoken:
            raise self._failure("found nothing to speak in the sentence", "audio_empty")
        pause = round(segment.pause_ms / self.speed * self._rate / 1000)
        self._words += tracker.finish(samples)
        chunk = self._chunk(rest + bytes(2 * pause))
        self._done += samples + pause
        self._in_segment = 0
        self._tracker = None
        return chunk

    def _chunk(self, pcm: bytes) -> SpeechChunk:
        self._in_segment += len(pcm) // 2
        if (self._done + self._in_segment) * 2 > self.limits.max_audio_bytes(self._rate):
            raise self._failure(f"made more than {self.limits.max_audio_seconds:g} s of audio", "audio_too_long")
        words, self._words = self._words, ()
        return SpeechChunk(pcm, self._rate, words)

    def _failure(self, what: str, reason: str) -> SpeechFailed:
        return SpeechFailed(
            f"embedded voice {what}", details={"service": "embedded voice", "reason": reason}, retryable=False
        )
