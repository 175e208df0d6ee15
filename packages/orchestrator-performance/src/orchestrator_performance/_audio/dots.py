"""Dot products of PCM with fixed waves: in C where Python has a way to, in Python where it has none."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from operator import mul
from typing import Final

from orchestrator_performance._audio.linear import samples_of, to_pcm
from orchestrator_performance._audio.native import audioop

__all__ = ["Bank"]

_FULL: Final = 32767


class Bank:
    """Several waves of one length, each a sequence of numbers; `dot(number, pcm, start)` is the product of one with as many samples.

    With `audioop` the waves are kept in 16 bits each, scaled to use all of them: an error of -100 dB per coefficient.
    """

    def __init__(self, waves: Sequence[Sequence[float]]) -> None:
        self.length = len(waves[0])
        self._waves = [tuple(wave) for wave in waves]
        self._native = audioop()
        self._fast: list[tuple[bytes, float]] = []
        if self._native is not None:
            self._fast = [_quantized(wave) for wave in self._waves]
        self._sumprod: Callable[[Sequence[float], Sequence[float]], float] = getattr(math, "sumprod", _sum_of_products)

    def over(self, pcm: bytes) -> Callable[[int, int], float]:
        """A function of a wave's number and the sample to begin with, over this piece of PCM."""
        if self._native is not None:
            find: Callable[[bytes, bytes], float] = self._native.findfactor
            fast, size = self._fast, 2 * self.length

            def native(number: int, start: int) -> float:
                wave, scale = fast[number]
                factor: float = find(pcm[2 * start : 2 * start + size], wave)
                return factor * scale

            return native
        samples, waves, length = samples_of(pcm).tolist(), self._waves, self.length
        dot: Callable[[Sequence[float], Sequence[float]], float] = self._sumprod

        def plain(number: int, start: int) -> float:
            return dot(samples[start : start + length], waves[number])

        return plain


def _sum_of_products(samples: Sequence[float], wave: Sequence[float]) -> float:
    total: float = sum(map(mul, samples, wave))
    return total


def _quantized(wave: Sequence[float]) -> tuple[bytes, float]:
    """The wave in 16 bits, and what a factor is to be multiplied by: `findfactor` answers the dot product over the wave's own square."""
    loudest = max(map(abs, wave))
    if not loudest:
        # A wave of nothing has no factor; any other one times nothing is the same.
        return to_pcm(array("h", [1] * len(wave))), 0.0
    steps = array("h", (round(each / loudest * _FULL) for each in wave))
    return to_pcm(steps), sum(step * step for step in steps) * loudest / _FULL
