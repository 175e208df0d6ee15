"""What is wrong with audio, and where."""

from __future__ import annotations

from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError, RateLimitError, ValidationError

__all__ = ["MAX_CHUNK", "AudioBusy", "AudioError", "AudioExtraMissing", "require_samples"]

MAX_CHUNK: Final = 1_048_576
"""Bytes of PCM that are taken in one piece: a minute at 8 kHz. More is no telephone audio."""


class AudioError(ValidationError):
    """Audio that cannot be what it is said to be; names the stream and the byte. The stream goes on with the next piece.

    Args:
        message: What is wrong.
        stream: Whose audio it is; empty where that is not known.
        offset: The byte of the stream at which it is wrong, where that is known.
    """

    default_code = "audio_invalid"

    def __init__(self, message: str, *, stream: str = "", offset: int | None = None) -> None:
        place = " ".join(
            part for part in (f"stream {stream}" if stream else "", "" if offset is None else f"byte {offset}") if part
        )
        super().__init__(f"{place}: {message}" if place else message, details={"stream": stream, "offset": offset})
        self.reason = message
        self.stream = stream
        self.offset = offset

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.reason, self.stream, self.offset)


def _rebuild(reason: str, stream: str, offset: int | None) -> AudioError:
    return AudioError(reason, stream=stream, offset=offset)


class AudioBusy(RateLimitError):
    """All calls together keep as much audio as they may."""

    default_code = "audio_busy"


class AudioExtraMissing(ConfigurationError):
    """What was asked for needs an extra that is not installed; the message names it."""

    default_code = "audio_extra_missing"


def require_samples(pcm: bytes, *, stream: str = "", offset: int = 0) -> None:
    """Refuse half a sample, and more than a minute in one piece.

    Raises:
        AudioError: With the byte at which it is wrong.
    """
    if len(pcm) & 1:
        raise AudioError("half a 16-bit sample", stream=stream, offset=offset + len(pcm) - 1)
    if len(pcm) > MAX_CHUNK:
        raise AudioError(
            f"{len(pcm)} bytes in one piece; {MAX_CHUNK} are the most", stream=stream, offset=offset + MAX_CHUNK
        )
