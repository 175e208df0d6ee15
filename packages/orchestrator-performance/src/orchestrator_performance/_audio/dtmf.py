"""The keys of a telephone: tones made and found (ITU-T Q.23, Q.24).

A tone is looked for in blocks of 13 ms, of which at least two lie within a tone of 40 ms. A block holds a key when one tone of each group stands out, the two
are about equally loud, and nearly all of the block's energy is theirs: a voice spreads its energy further. Two such blocks in a row are a key.
The energy at the eight frequencies is a correlation with sine and cosine, which is what Goertzel's recursion computes.
"""

from __future__ import annotations

import math
from array import array
from functools import cache
from typing import Final

from orchestrator_performance._audio.dots import Bank
from orchestrator_performance._audio.errors import AudioError, require_samples
from orchestrator_performance._audio.levels import rms
from orchestrator_performance._audio.linear import to_pcm

__all__ = ["DIGITS", "HIGH", "LOW", "DtmfDetector", "amplitude_of_dbm0", "dtmf"]

LOW: Final = (697, 770, 852, 941)
HIGH: Final = (1209, 1336, 1477, 1633)
DIGITS: Final = "123A456B789C*0#D"

BLOCK: Final = 104
"""Samples at 8 kHz: 13 ms."""

SHARE: Final = 0.66
"""The least part of the energy that belongs to the two tones: 0.77 is left at 1.5 % off frequency and 15 dB above noise."""

STANDS_OUT: Final = 10 ** (5 / 10)
"""How many times the power of the next frequency of its group a tone has."""

LOW_LOUDER: Final = 10 ** (9.5 / 10)
HIGH_LOUDER: Final = 10 ** (6 / 10)
"""How much louder one tone may be: 8 and 4 dB (Q.24, annex), and 1.5 dB for what a detuned tone loses in a block."""

FAINTEST_DBM0: Final = -29.0


def amplitude_of_dbm0(dbm0: float) -> float:
    """The peak of a sine of this level: 0 dBm0 is -6.18 dBov (G.711 mu-law, G.100.1)."""
    return 32768 * math.sqrt(2) * 10 ** ((dbm0 - 6.18) / 20)


def dtmf(
    digits: str, *, sample_rate: int = 8000, tone_ms: int = 100, pause_ms: int = 100, dbm0: float = -10.0
) -> bytes:
    """PCM in which the keys are pressed one after the other.

    Args:
        digits: Of `0123456789*#ABCD`.
        sample_rate: Hz.
        tone_ms: How long each is held.
        pause_ms: The silence after it.
        dbm0: The level of each of the two tones; what is louder than full scale is clipped.

    Raises:
        AudioError: A character is no key.
    """
    amplitude, out = amplitude_of_dbm0(dbm0), array("h")
    for position, digit in enumerate(digits.upper()):
        place = DIGITS.find(digit)
        if place < 0:
            raise AudioError(f"no key at place {position}; there is {DIGITS}")
        steps = [2 * math.pi * hertz / sample_rate for hertz in (LOW[place // 4], HIGH[place % 4])]
        for number in range(sample_rate * tone_ms // 1000):
            value = amplitude * sum(math.sin(step * number) for step in steps)
            out.append(max(-32768, min(32767, round(value))))
        out.extend([0] * (sample_rate * pause_ms // 1000))
    return to_pcm(out)


@cache
def _bank() -> Bank:
    waves: list[list[float]] = []
    for hertz in (*LOW, *HIGH):
        step = 2 * math.pi * hertz / 8000
        waves += [[wave(step * number) * 2 / BLOCK for number in range(BLOCK)] for wave in (math.cos, math.sin)]
    return Bank(waves)


class DtmfDetector:
    """Finds keys in one stream of 8,000 Hz.

    What is wrong with a piece is told once (AudioError with stream and byte), and the stream goes on with the next piece.
    """

    def __init__(self, *, stream: str = "") -> None:
        self._stream = stream
        self._offset = 0
        self._held = b""
        self._bank = _bank()
        self._faintest = amplitude_of_dbm0(FAINTEST_DBM0) ** 2
        self._last = ""
        self._held_down = ""
        self._misses = 0

    def feed(self, pcm: bytes) -> str:
        """The keys that are certain with this piece: each once, however long it is held."""
        require_samples(pcm, stream=self._stream, offset=self._offset)
        self._offset += len(pcm)
        data = self._held + pcm if self._held else pcm
        size, found = 2 * BLOCK, ""
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            found += self._took(self._key(data[start : start + size]))
        self._held = data[whole:]
        return found

    def _took(self, key: str) -> str:
        """What is certain now: a key after two blocks of it; its end after three without it, for a gap of 10 ms is none (Q.24)."""
        certain = ""
        if key and key == self._last and key != self._held_down:
            certain = self._held_down = key
        self._misses = 0 if key and key == self._held_down else self._misses + 1
        if self._misses >= 3:
            self._held_down = ""
        self._last = key
        return certain

    def _key(self, block: bytes) -> str:
        """The key that a block is full of; empty if there is none."""
        energy = 2.0 * rms(block) ** 2  # as a power of amplitudes: the mean square of a sine is half of it
        if energy < 2 * self._faintest:
            return ""
        dot = self._bank.over(block)
        low, row = _loudest([dot(2 * each, 0) ** 2 + dot(2 * each + 1, 0) ** 2 for each in range(4)])
        # Most of a voice is told by half of the frequencies.
        if low < self._faintest or low * (1 + HIGH_LOUDER) < SHARE * energy:
            return ""
        high, column = _loudest([dot(2 * each, 0) ** 2 + dot(2 * each + 1, 0) ** 2 for each in range(4, 8)])
        if high < self._faintest or low > high * LOW_LOUDER or high > low * HIGH_LOUDER:
            return ""
        return DIGITS[4 * row + column] if low + high >= SHARE * energy else ""


def _loudest(powers: list[float]) -> tuple[float, int]:
    """The power of the one that stands out of its group, and which it is; a power of 0.0 if none does."""
    most = max(powers)
    place = powers.index(most)
    second = max(power for number, power in enumerate(powers) if number != place)
    return (most if most >= STANDS_OUT * second else 0.0), place
