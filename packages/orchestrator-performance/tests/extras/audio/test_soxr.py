"""libsoxr behind the same seam."""

from __future__ import annotations

import math
from array import array

import pytest

from orchestrator_kernel.contracts import AudioPathContract
from orchestrator_kernel.ports.audio import AudioPath
from orchestrator_performance.audio_optimizer import AudioError, CallAudio, make_resampler, resample


class TestWithSoxr(AudioPathContract):
    def make(self) -> AudioPath:
        return CallAudio(engine="soxr")


def tone(rate: int, seconds: float = 0.5) -> bytes:
    step = 2 * math.pi * 3000 / rate
    return array("h", (round(20_000 * math.sin(step * number)) for number in range(round(seconds * rate)))).tobytes()


@pytest.mark.parametrize(("source", "target"), [(8000, 16000), (16000, 8000)])
def test_a_tone_of_3_khz_is_80_db_above_all_else(source: int, target: int):
    import numpy as np

    resampler, pcm, size = make_resampler(source, target, engine="soxr"), tone(source), source // 50 * 2
    out = b"".join(resampler.feed(pcm[start : start + size]) for start in range(0, len(pcm), size))
    assert 0 <= 0.5 - len(out) / 2 / target <= 0.035
    out += resampler.flush()
    assert abs(len(out) // 2 - target // 2) <= 1
    samples = np.frombuffer(out, "<i2").astype(float)[800:-800]
    phase = 2 * np.pi * 3000 / target * np.arange(len(samples))
    waves = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    fit = waves @ np.linalg.lstsq(waves, samples, rcond=None)[0]
    assert 10 * np.log10((fit**2).sum() / ((samples - fit) ** 2).sum()) >= 80


def test_after_a_flush_another_stream_begins_and_errors_are_the_same():
    resampler, pcm = make_resampler(16000, 8000, stream="MZ1", engine="soxr"), tone(16000)
    first = resampler.feed(pcm) + resampler.flush()
    assert resampler.feed(pcm) + resampler.flush() == first
    with pytest.raises(AudioError, match=r"stream MZ1 byte \d+: half"):
        resampler.feed(b"\0")
    assert resample(b"", 8000, 16000, engine="soxr") == b""
