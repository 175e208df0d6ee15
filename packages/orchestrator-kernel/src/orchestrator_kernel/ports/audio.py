"""The audio of a call: what a media leg needs of it, and what turns it into words.

PCM is always mono, signed 16 bit, little endian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator_kernel.exceptions import ExternalServiceError


class AudioCodec(Protocol):
    """Encodes PCM for one kind of line; works on whole samples, keeps no state between calls."""

    @property
    def name(self) -> str:
        """The codec's name in its field, for example `PCMU`."""
        ...

    def encode(self, pcm: bytes, /) -> bytes:
        """Wire bytes of the samples; ValidationError on half a sample."""
        ...

    def decode(self, data: bytes, /) -> bytes:
        """The samples of wire bytes."""
        ...


class Resampler(Protocol):
    """Changes the rate of one stream, piece by piece."""

    def feed(self, pcm: bytes) -> bytes:
        """The samples that are known by now; some are held back. ValidationError on half a sample."""
        ...

    def flush(self) -> bytes:
        """What was held back. The stream is over then, and the next piece begins another."""
        ...


class ToneDetector(Protocol):
    """Finds the keys that a caller presses in the audio of one stream."""

    def feed(self, pcm: bytes) -> str:
        """The keys that are certain now, of `0123456789*#ABCD`, each once however long it is held; mostly none."""
        ...


class FrameStore(Protocol):
    """The frames of one stream that wait, bounded; a full one loses its oldest frame."""

    def __len__(self) -> int: ...

    def put(self, frame: bytes) -> int:
        """Add a frame; how many older ones were lost for it. ValidationError for what is no frame."""
        ...

    def take(self) -> bytes | None:
        """The oldest frame; None when there is none."""
        ...

    def waiting(self) -> tuple[bytes, ...]:
        """The frames, oldest first; they stay where they are."""
        ...

    def clear(self) -> int:
        """Lose all frames; how many there were."""
        ...

    def close(self) -> None:
        """The stream is over; its room is free. Closing twice is harmless."""
        ...


class AudioPath(Protocol):
    """What a media leg needs of audio."""

    def codec(self, name: str) -> AudioCodec:
        """The codec of this name: `PCMU`, `PCMA` or `L16`; ValidationError if there is no such codec."""
        ...

    def resampler(self, source: int, target: int) -> Resampler:
        """For a stream of `source` Hz that is wanted at `target` Hz; ValidationError where that cannot be done."""
        ...

    def level(self, pcm: bytes) -> float:
        """How loud it is, in dB below a full-scale square wave (dBov): 0.0 and less, -96.0 for silence."""
        ...

    def tones(self) -> ToneDetector:
        """A detector for one stream of 8,000 Hz."""
        ...

    def open(self, stream: str, *, max_frames: int) -> FrameStore:
        """Room for the frames of a stream, within what all streams together may keep.

        Raises:
            ValidationError: The stream has room already.
            RateLimitError: There are as many streams as may be.
        """
        ...


class TranscriptionFailed(ExternalServiceError):
    """What recognizes speech broke, or answered nonsense."""

    default_code = "transcription_failed"


class TranscriberUnavailable(TranscriptionFailed):
    """No recognizer is configured or installed; the message names what to install."""

    default_code = "transcriber_unavailable"
    default_status = 503
    default_retryable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What somebody said in one go.

    Attributes:
        pcm: Mono, signed 16 bit, little endian.
        sample_rate: Hz.
        language: BCP 47, as far as it is known.
        phrases: What is expected to be said; a recognizer may use it, or not.
    """

    pcm: bytes
    sample_rate: int
    language: str = ""
    phrases: Sequence[str] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / 2 / self.sample_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The words of an utterance.

    Attributes:
        text: Empty when nothing was recognized.
        confidence: 0 to 1, where the recognizer tells one.
        language: BCP 47, where the recognizer tells one.
    """

    text: str
    confidence: float | None = None
    language: str = ""


class Transcriber(Protocol):
    """Turns an utterance into words."""

    @property
    def sample_rate(self) -> int:
        """The rate in Hz at which it wants to be given audio."""
        ...

    async def transcribe(self, utterance: Utterance) -> Transcript:
        """The words; never blocks the event loop, and may be cancelled.

        Raises:
            TranscriptionFailed: It broke, answered nonsense, or took too long.
            TranscriberUnavailable: None is there.
            ValidationError: The utterance has half a sample, another rate, or is too long.
        """
        ...
