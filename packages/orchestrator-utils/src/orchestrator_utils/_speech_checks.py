"""What every voice checks: the sentence before it is spoken, and the audio that comes back. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_kernel.ports import SpeechFailed, SpeechRequest

__all__ = ["PcmStream", "SpeechLimits", "SpeechRefused", "check_request"]

# A raw PCM stream has no header, so one that starts like a file is a file.
_FILE_SIGNATURES = (b"RIFF", b"OggS", b"fLaC", b"ID3\x02", b"ID3\x03", b"ID3\x04", b"\x1aE\xdf\xa3")


class SpeechRefused(SpeechFailed):
    """The sentence itself cannot be spoken by this voice; asking again with the same sentence is of no use."""

    default_code = "speech_refused"
    default_status = 422
    default_retryable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechLimits:
    """The largest sentence and the longest audio that a voice handles.

    Attributes:
        max_text_chars: Characters of a sentence.
        max_audio_seconds: Seconds of audio for one sentence; more is an error, not cut off in silence.
    """

    max_text_chars: int = 4096
    max_audio_seconds: float = 120.0

    def max_audio_bytes(self, sample_rate: int) -> int:
        """Bytes of 16-bit mono audio at `sample_rate` Hz."""
        return int(self.max_audio_seconds * sample_rate) * 2


def check_request(request: SpeechRequest, limits: SpeechLimits, service: str) -> None:
    """Refuse what no voice can speak.

    Raises:
        SpeechRefused: Nothing to say, too long, not valid Unicode, or a speed outside 0.5 to 2.0. The text is never repeated.
    """
    details = {"service": service}
    if not request.text.strip():
        raise SpeechRefused(f"{service}: there is nothing to say", details=details)
    if len(request.text) > limits.max_text_chars:
        raise SpeechRefused(
            f"{service}: a sentence of {len(request.text)} characters is longer than {limits.max_text_chars}",
            details=details,
        )
    if any("\ud800" <= char <= "\udfff" for char in request.text):
        raise SpeechRefused(f"{service}: the sentence holds half a character", details=details)
    if not 0.5 <= request.speed <= 2.0:
        raise SpeechRefused(f"{service}: the speed must be from 0.5 to 2.0", details=details)


class PcmStream:
    """The bytes of a raw answer (16-bit, mono), cut into whole samples and watched for their size.

    Args:
        service: The name in errors.
        sample_rate: Hz.
        limits: How long the audio may become.
    """

    def __init__(self, service: str, sample_rate: int, limits: SpeechLimits) -> None:
        self._service = service
        self._limit_seconds = limits.max_audio_seconds
        self._max_bytes = limits.max_audio_bytes(sample_rate)
        self._taken = 0
        self._half = b""

    def feed(self, data: bytes) -> bytes:
        """The whole samples that are complete now; empty if there are none.

        Raises:
            SpeechFailed: The audio is longer than allowed, or a file instead of raw samples.
        """
        if self._taken == 0 and data.startswith(_FILE_SIGNATURES):
            raise self._failure("sent an audio file instead of raw samples", "answer_not_pcm")
        self._taken += len(data)
        if self._taken > self._max_bytes:
            raise self._failure(f"sent more than {self._limit_seconds:g} s of audio", "audio_too_long")
        data = self._half + data
        whole = len(data) & ~1
        self._half = data[whole:]
        return data[:whole]

    def finish(self) -> None:
        """To be called at the end of the answer.

        Raises:
            SpeechFailed: There was no audio, or it ends within a sample.
        """
        if self._taken == 0:
            raise self._failure("sent no audio", "audio_empty")
        if self._half:
            raise self._failure("sent audio that ends within a sample", "audio_truncated")

    def _failure(self, what: str, reason: str) -> SpeechFailed:
        return SpeechFailed(f"{self._service} {what}", details={"service": self._service, "reason": reason})
