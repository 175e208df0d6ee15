"""Comfort noise: what a caller hears where there is nothing, so that the line does not seem dead (RFC 3389 has the idea)."""

from __future__ import annotations

import random
from array import array
from functools import cache

from orchestrator_performance._audio.errors import AudioError
from orchestrator_performance._audio.framing import frame_bytes
from orchestrator_performance._audio.linear import to_pcm

__all__ = ["ComfortNoise"]


@cache
def _second(sample_rate: int, dbov: float) -> bytes:
    source = random.Random(20)
    deviation = 32768 * 10 ** (dbov / 20)
    samples = (max(-32768, min(32767, round(source.gauss(0.0, deviation)))) for _ in range(sample_rate))
    return to_pcm(array("h", samples))


class ComfortNoise:
    """Frames of noise at one level; a frame is a piece of a second of noise that all streams share.

    Args:
        sample_rate: Hz.
        dbov: The level; -65 is a quiet office.
        seed: The same seed gives the same frames.
    """

    def __init__(self, sample_rate: int = 8000, *, dbov: float = -65.0, seed: int | None = None) -> None:
        if not -96.0 <= dbov <= -20.0:
            raise AudioError(f"noise of {dbov} dBov gives no comfort; -96 to -20")
        self._noise = _second(sample_rate, dbov)
        self._size = frame_bytes(sample_rate)
        self._random = random.Random(seed)

    def frame(self) -> bytes:
        """20 ms of it."""
        start = 2 * self._random.randrange((len(self._noise) - self._size) // 2)
        return self._noise[start : start + self._size]
