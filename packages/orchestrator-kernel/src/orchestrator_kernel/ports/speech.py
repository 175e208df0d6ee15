"""Speaking."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from orchestrator_kernel.exceptions import ExternalServiceError


class SpeechFailed(ExternalServiceError):
    """The voice broke, or answered with empty, truncated or oversized audio."""

    default_code = "speech_failed"


class SpeechUnavailable(SpeechFailed):
    """No voice is configured or installed; the message names what to install."""

    default_code = "speech_unavailable"
    default_status = 503
    default_retryable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """One sentence to be spoken.

    Attributes:
        text: The sentence.
        language: BCP 47, for example `en-US`.
        voice: The backend's own name of a voice; None for the language's default.
        speed: 0.5 to 2.0 times the normal speed.
    """

    text: str
    language: str
    voice: str | None = None
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class WordTiming:
    """A word and when it is heard, in milliseconds from the start of the sentence."""

    word: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of speech: mono PCM, signed 16 bit, little endian.

    Attributes:
        pcm: A whole number of samples; any length.
        sample_rate: Hz; the same for all chunks of a sentence.
        words: Timings of words as they become known; a word may be told before or after its samples.
    """

    pcm: bytes
    sample_rate: int
    words: tuple[WordTiming, ...] = ()


class Speech(Protocol):
    """Turns a sentence into audio, while it is being made."""

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Yield the sentence's audio; closing the generator stops the synthesis and frees what it held.

        Raises:
            SpeechFailed: On a broken, empty or truncated answer; never after pretending success.
            SpeechUnavailable: No voice is there.
        """
        ...
