"""Other rates: what was a tone still is one, and nothing else."""

from __future__ import annotations

import itertools
from array import array

import pytest
from audio_signals import in_pieces, sine, snr
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_performance.audio_optimizer import RATES, AudioError, level, make_resampler, resample

PAIRS = [(8000, 16000), (16000, 8000), (22050, 8000), (24000, 8000), (48000, 8000), (8000, 24000), (16000, 48000)]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_tone_of_3_khz_is_80_db_above_all_else_and_little_is_held_back(either_way: str, source: int, target: int):
    resampler, pcm = make_resampler(source, target, engine="filter"), sine(3000, 0.4, source)
    out = [resampler.feed(piece) for piece in in_pieces(pcm, source // 50 * 2)]
    held = 0.4 - len(b"".join(out)) / 2 / target
    assert 0 <= held <= 0.006
    whole = b"".join(out) + resampler.flush()
    assert len(whole) // 2 == round(0.4 * target)
    assert snr(whole, 3000, target) >= 80
    assert abs(level(whole) - level(pcm)) < 0.1


def test_what_the_line_cannot_carry_is_gone():
    # 5 kHz at 16 kHz would be heard as 3 kHz at 8.
    out = resample(sine(5000, 0.4, 16000), 16000, 8000, engine="filter")
    assert level(out[800:-800]) < level(sine(5000, 0.4, 16000)) - 75


@settings(max_examples=25)
@given(st.sampled_from(RATES), st.sampled_from(RATES), st.lists(st.integers(0, 400), max_size=12))
def test_the_pieces_do_not_matter(source: int, target: int, sizes: list[int]):
    pcm = sine(500, sum(sizes) / source, source)[: 2 * sum(sizes)]
    resampler, place, out = make_resampler(source, target, engine="filter"), 0, b""
    for size in sizes:
        out += resampler.feed(pcm[place : place + 2 * size])
        place += 2 * size
    out += resampler.flush()
    assert out == resample(pcm, source, target, engine="filter")
    assert len(out) // 2 == -(-len(pcm) // 2 * target // source)


def test_after_a_flush_another_stream_begins():
    resampler, pcm = make_resampler(16000, 8000, engine="filter"), sine(440, 0.1, 16000)
    first = resampler.feed(pcm) + resampler.flush()
    assert resampler.feed(pcm) + resampler.flush() == first


def test_full_scale_is_clipped_and_does_not_wrap():
    square = array("h", [32767, 32767, -32768, -32768] * 400).tobytes()
    out = array("h", resample(square, 8000, 16000, engine="filter"))
    assert max(out) == 32767
    assert min(out) == -32768
    assert all(abs(a - b) < 60_000 for a, b in itertools.pairwise(out))


def test_what_cannot_be_done_is_told():
    with pytest.raises(AudioError, match="stream MZ1: 8001 Hz is no rate of ours"):
        make_resampler(8001, 8000, stream="MZ1")
    for source, target in ((8000, 16000), (8000, 8000)):
        resampler = make_resampler(source, target, stream="MZ1", engine="filter")
        resampler.feed(bytes(320))
        with pytest.raises(AudioError, match="stream MZ1 byte 320: half a 16-bit sample"):
            resampler.feed(b"\0")
        resampler.feed(bytes(320))
