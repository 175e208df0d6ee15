"""Signals that the tests of audio hear."""

from __future__ import annotations

import math
import random
from array import array


def sine(hertz: float, seconds: float, rate: int, amplitude: float = 20_000.0) -> bytes:
    step = 2 * math.pi * hertz / rate
    return array("h", (round(amplitude * math.sin(step * number)) for number in range(round(seconds * rate)))).tobytes()


def noise(seconds: float, rate: int = 8000, deviation: float = 1000.0, seed: int = 1) -> bytes:
    source = random.Random(seed)
    values = (max(-32768, min(32767, round(source.gauss(0, deviation)))) for _ in range(round(seconds * rate)))
    return array("h", values).tobytes()


def snr(pcm: bytes, hertz: float, rate: int, skip: int = 400) -> float:
    """Signal to everything else, in dB: the sine that fits best, against the rest."""
    samples = array("h", pcm).tolist()[skip:-skip]
    step = 2 * math.pi * hertz / rate
    cosine = [math.cos(step * number) for number in range(len(samples))]
    sine_ = [math.sin(step * number) for number in range(len(samples))]
    cc, ss = sum(c * c for c in cosine), sum(s * s for s in sine_)
    cs = sum(c * s for c, s in zip(cosine, sine_, strict=True))
    xc = sum(x * c for x, c in zip(samples, cosine, strict=True))
    xs = sum(x * s for x, s in zip(samples, sine_, strict=True))
    determinant = cc * ss - cs * cs
    a, b = (xc * ss - xs * cs) / determinant, (xs * cc - xc * cs) / determinant
    fit = [a * c + b * s for c, s in zip(cosine, sine_, strict=True)]
    error = sum((x - f) ** 2 for x, f in zip(samples, fit, strict=True))
    return 10 * math.log10(sum(f * f for f in fit) / error)


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def pressed(
    digit: str, *, dbm0: float, detune: float, snr_db: float, seed: int, tone_ms: int = 40, rate: int = 8000
) -> bytes:
    """A key, held for `tone_ms` in noise, beginning anywhere."""
    from orchestrator_performance._audio.dtmf import DIGITS, HIGH, LOW, amplitude_of_dbm0

    source, place = random.Random(seed), DIGITS.index(digit)
    amplitude = amplitude_of_dbm0(dbm0)
    deviation = amplitude * 10 ** (-snr_db / 20)
    steps = [2 * math.pi * hertz * (1 + detune) / rate for hertz in (LOW[place // 4], HIGH[place % 4])]
    phases = [source.uniform(0, 2 * math.pi) for _ in steps]
    tone = [
        amplitude * sum(math.sin(phase + step * number) for phase, step in zip(phases, steps, strict=True))
        for number in range(rate * tone_ms // 1000)
    ]
    silence = [0.0] * source.randrange(800, 1000)
    return array(
        "h",
        (
            max(-32768, min(32767, round(value + source.gauss(0, deviation))))
            for value in [*silence, *tone, *[0.0] * 800]
        ),
    ).tobytes()
