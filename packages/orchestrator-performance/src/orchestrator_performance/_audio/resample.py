"""Changing the rate of a stream: by a filter of our own, or by libsoxr (extra `[resample]`), which is faster and holds back more.

Ours is a windowed sinc in phases (Kaiser, 85 dB), for the telephone's band: flat up to 3.4 kHz of a line of 8 kHz, gone at 4.6 kHz, and in the same
proportion at other rates. Source: Kaiser and Schafer, "On the use of the I0-sinh window for spectrum analysis" (1980).
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from array import array
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, Protocol, cast

from orchestrator_performance._audio.dots import Bank
from orchestrator_performance._audio.errors import AudioError, AudioExtraMissing, require_samples
from orchestrator_performance._audio.linear import to_pcm

if TYPE_CHECKING:
    from numpy import int16
    from numpy.typing import NDArray

__all__ = ["RATES", "Engine", "FilterResampler", "SoxrResampler", "make_resampler"]

RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""The rates in Hz between which streams are changed."""

Engine = Literal["soxr", "filter"]

_ATTENUATION: Final = 85.0
_PASS: Final = 0.85
"""Of half the lower rate: up to here nothing is lost; as far above it all is gone."""


class _Resampler(Protocol):
    def feed(self, pcm: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


def make_resampler(source: int, target: int, *, engine: Engine = "filter", stream: str = "") -> _Resampler:
    """For one stream.

    Raises:
        AudioError: A rate that is none of `RATES`.
        AudioExtraMissing: soxr is asked for and not installed.
    """
    for rate in (source, target):
        if rate not in RATES:
            raise AudioError(f"{rate} Hz is no rate of ours; there is {', '.join(map(str, RATES))}", stream=stream)
    if source == target:
        return _Same(stream)
    if engine == "filter":
        return FilterResampler(source, target, stream=stream)
    if not _has_soxr():
        raise AudioExtraMissing("soxr is not installed: install orchestrator-performance[resample]")
    return SoxrResampler(source, target, stream=stream)


@cache
def _has_soxr() -> bool:
    return importlib.util.find_spec("soxr") is not None


class _Offset:
    """Where in the stream we are."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._offset = 0

    def take(self, pcm: bytes) -> None:
        require_samples(pcm, stream=self._stream, offset=self._offset)
        self._offset += len(pcm)


class _Same(_Offset):
    def feed(self, pcm: bytes) -> bytes:
        self.take(pcm)
        return pcm

    def flush(self) -> bytes:
        return b""


class _SoxrStream(Protocol):
    def resample_chunk(self, x: NDArray[int16], last: bool) -> NDArray[int16]: ...  # noqa: FBT001 - theirs


class _Soxr(Protocol):
    """What we use of soxr, which has no types."""

    def ResampleStream(  # noqa: N802 - theirs
        self, in_rate: float, out_rate: float, num_channels: int, *, dtype: str, quality: str
    ) -> _SoxrStream: ...


class SoxrResampler(_Offset):
    """By libsoxr at its quality "LQ": 80 dB and more, with about 30 ms held back, since it works in blocks."""

    def __init__(self, source: int, target: int, *, stream: str = "") -> None:
        super().__init__(stream)
        import numpy as np  # noqa: PLC0415

        self._numpy = np
        library = cast("_Soxr", importlib.import_module("soxr"))
        self._make: Callable[[], _SoxrStream] = lambda: library.ResampleStream(
            source, target, 1, dtype="int16", quality="LQ"
        )
        self._soxr = self._make()

    def feed(self, pcm: bytes) -> bytes:
        """As the port says."""
        self.take(pcm)
        return self._through(pcm, last=False)

    def flush(self) -> bytes:
        """As the port says."""
        rest = self._through(b"", last=True)
        self._soxr = self._make()
        return rest

    def _through(self, pcm: bytes, *, last: bool) -> bytes:
        samples = self._numpy.frombuffer(pcm, dtype="<i2")
        return self._soxr.resample_chunk(samples, last=last).astype("<i2").tobytes()


class FilterResampler(_Offset):
    """By a filter of our own, in standard-library Python; holds back half the filter, 2 to 5 ms."""

    def __init__(self, source: int, target: int, *, stream: str = "") -> None:
        super().__init__(stream)
        divisor = math.gcd(source, target)
        self._up, self._down = target // divisor, source // divisor
        self._bank = _filter(source, target, self._up)
        self._begin()

    def _begin(self) -> None:
        # So much silence before the stream puts the filter's middle on its first sample.
        self._window = bytes(2 * (self._bank.length // 2))
        self._position = 0
        self._taken = self._given = 0

    def feed(self, pcm: bytes) -> bytes:
        """As the port says."""
        self.take(pcm)
        self._taken += len(pcm) // 2
        return self._run(pcm)

    def flush(self) -> bytes:
        """As the port says."""
        due = -(-self._taken * self._up // self._down) - self._given
        rest = self._run(bytes(2 * self._bank.length))[: 2 * max(0, due)]
        self._begin()
        return rest

    def _run(self, pcm: bytes) -> bytes:
        window = self._window + pcm
        room = (len(window) // 2 - self._bank.length + 1) * self._up
        up, down, position = self._up, self._down, self._position
        dot = self._bank.over(window)
        out = array(
            "h", [_clipped(dot(place % up, place // up)) for place in range(position, room, down)] if room > 0 else []
        )
        self._given += len(out)
        position += len(out) * down
        passed = min(position // up, len(window) // 2)
        self._window = window[2 * passed :]
        self._position = position - passed * up
        return to_pcm(out)


def _clipped(value: float) -> int:
    sample = round(value)
    return sample if -32768 <= sample <= 32767 else (32767 if sample > 0 else -32768)


@cache
def _filter(source: int, target: int, phases: int) -> Bank:
    """The filter's phases: phase `p` weighs the samples around an output that lies `p / phases` of a sample after the middle one."""
    lower = min(source, target)
    width = 2 * (1 - _PASS) * (lower / 2) / source
    length = math.ceil((_ATTENUATION - 7.95) / (14.36 * width)) + 1
    length += length % 2
    beta = 0.1102 * (_ATTENUATION - 8.7)
    half, cut = length // 2, lower / source
    waves: list[list[float]] = []
    for phase in range(phases):
        wave = [_weight(tap - half - phase / phases, half, cut, beta) for tap in range(length + 1)]
        # A constant stays what it is, whatever the phase.
        total = sum(wave)
        waves.append([each / total for each in wave])
    return Bank(waves)


def _weight(distance: float, half: int, cut: float, beta: float) -> float:
    inside = 1 - (distance / (half + 1)) ** 2
    return _sinc(distance * cut) * _bessel(beta * math.sqrt(max(0.0, inside))) if inside > 0 else 0.0


def _sinc(value: float) -> float:
    return 1.0 if value == 0 else math.sin(math.pi * value) / (math.pi * value)


def _bessel(value: float) -> float:
    """The modified Bessel function I0, by its series."""
    term = total = 1.0
    number = 1
    while term > 1e-12 * total:
        term *= (value / (2 * number)) ** 2
        total += term
        number += 1
    return total
