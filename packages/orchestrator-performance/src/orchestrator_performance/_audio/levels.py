"""How loud audio is, and how much of it is silence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul
from typing import Final

from orchestrator_performance._audio.errors import AudioError
from orchestrator_performance._audio.linear import samples_of
from orchestrator_performance._audio.native import audioop

__all__ = ["SILENCE", "Level", "SilenceMeter", "level", "measure", "rms"]

SILENCE: Final = -96.0
"""dBov of what has no sound: less than the smallest step of 16 bits."""

_FULL: Final = 32768


def rms(pcm: bytes) -> int:
    """The root of the mean square of the samples, 0 to 32,768.

    Raises:
        AudioError: Half a sample.
    """
    if not pcm:
        return 0
    if len(pcm) & 1:
        raise AudioError("half a 16-bit sample", offset=len(pcm) - 1)
    native = audioop()
    if native is not None:
        return native.rms(pcm, 2)
    samples = samples_of(pcm)
    return int(math.sqrt(sum(map(mul, samples, samples)) / len(samples)))


def level(pcm: bytes) -> float:
    """Its level in dB relative to a full-scale square wave (dBov, ITU-T G.100.1); -96.0 for silence.

    A full-scale sine is -3.01 dBov; 0 dBm0 of mu-law is -6.18 dBov.
    """
    loudness = rms(pcm)
    return 20 * math.log10(loudness / _FULL) if loudness else SILENCE


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a piece of audio is.

    Attributes:
        dbov: As `level`.
        peak: The largest magnitude, 0 to 32,768.
        clipped: How many samples are at full scale.
        samples: Of how many.
    """

    dbov: float
    peak: int
    clipped: int
    samples: int


def measure(pcm: bytes) -> Level:
    """All that is told of the level of a piece of audio.

    Raises:
        AudioError: Half a sample.
    """
    loudness = level(pcm)
    samples = samples_of(pcm)
    loudest, lowest = (max(samples), min(samples)) if samples else (0, 0)
    peak = max(loudest, -lowest)
    clipped = samples.count(32767) + samples.count(-32768) if peak >= 32767 else 0
    return Level(loudness, peak, clipped, len(samples))


class SilenceMeter:
    """Counts how much of a stream is silence.

    Args:
        threshold: dBov below which a frame is silent.
        frame_ms: How long each frame is.
    """

    def __init__(self, threshold: float = -50.0, *, frame_ms: float = 20.0) -> None:
        self._threshold = threshold
        self._frame_ms = frame_ms
        self._frames = 0
        self._silent = 0
        self._run = 0

    def feed(self, frame: bytes) -> bool:
        """Whether the frame is silent."""
        self._frames += 1
        silent = level(frame) < self._threshold
        if silent:
            self._silent += 1
            self._run += 1
        else:
            self._run = 0
        return silent

    @property
    def share(self) -> float:
        """The silent share of all frames, 0.0 to 1.0."""
        return self._silent / self._frames if self._frames else 0.0

    @property
    def silent_ms(self) -> float:
        """For how long it has been silent without a break."""
        return self._run * self._frame_ms
