"""Keys: each is found as faint, detuned, short and noisy as it may be, once, and none is found where nobody presses one."""

from __future__ import annotations

import pytest
from audio_signals import in_pieces, noise, pressed, sine
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_performance.audio_optimizer import DIGITS, AudioError, DtmfDetector, dtmf, level


def found(pcm: bytes, size: int = 320) -> str:
    detector = DtmfDetector()
    return "".join(detector.feed(piece) for piece in in_pieces(pcm, size))


def test_what_is_made_is_found(either_way: str):
    for level_dbm0 in (0.0, -10.0, -25.0):
        assert found(dtmf(DIGITS, tone_ms=40, pause_ms=40, dbm0=level_dbm0)) == DIGITS
    assert found(dtmf("11223344", tone_ms=60, pause_ms=40)) == "11223344"


@pytest.mark.parametrize("dbm0", [0.0, -10.0, -25.0])
@pytest.mark.parametrize("detune", [-0.015, 0.0, 0.015])
def test_every_key_is_found_in_40_ms_at_15_db_above_noise(dbm0: float, detune: float):
    for seed, digit in enumerate(DIGITS):
        assert found(pressed(digit, dbm0=dbm0, detune=detune, snr_db=15, seed=seed)) == digit


@pytest.mark.soak
def test_every_key_is_found_wherever_it_begins():
    missed = [
        (digit, dbm0, detune, seed)
        for digit in DIGITS
        for dbm0 in (0.0, -3.0, -10.0, -18.0, -25.0)
        for detune in (-0.015, -0.007, 0.0, 0.007, 0.015)
        for seed in range(40)
        if found(pressed(digit, dbm0=dbm0, detune=detune, snr_db=15, seed=seed)) != digit
    ]
    assert missed == []


@settings(max_examples=30)
@given(
    st.sampled_from(DIGITS), st.floats(-25, 0), st.floats(-0.015, 0.015), st.integers(0, 10_000), st.integers(1, 800)
)
def test_the_pieces_do_not_matter(digit: str, dbm0: float, detune: float, seed: int, samples: int):
    pcm = pressed(digit, dbm0=dbm0, detune=detune, snr_db=15, seed=seed)
    assert found(pcm, 2 * samples) == digit


def test_a_key_that_is_held_is_one_key(either_way: str):
    assert found(dtmf("7", tone_ms=3000)) == "7"


def test_a_dropout_of_a_frame_does_not_press_the_key_again():
    tone = bytearray(dtmf("7", tone_ms=400))
    tone[1600:1800] = bytes(200)
    assert found(bytes(tone)) == "7"


@pytest.mark.parametrize(
    "pcm",
    [
        bytes(32_000),
        noise(5, deviation=3000),
        sine(697, 1, 8000, 8000),
        sine(1336, 1, 8000, 8000),
        sine(440, 1, 8000, 8000),
        dtmf("5", tone_ms=12),
        dtmf("5", dbm0=-40),
    ],
    ids=["silence", "noise", "one low tone", "one high tone", "dial tone", "12 ms", "far too faint"],
)
def test_what_is_no_key_is_none(either_way: str, pcm: bytes):
    assert found(pcm) == ""


def test_levels_are_those_of_the_telephone():
    # Two tones of 0 dBm0 are 3 dB louder than one, less what is clipped.
    assert level(dtmf("1", dbm0=-10, pause_ms=0)) == pytest.approx(-6.18 - 10 + 3.01, abs=0.2)


def test_what_cannot_be_pressed_or_heard_is_told():
    with pytest.raises(AudioError, match="no key at place 2"):
        dtmf("12E")
    detector = DtmfDetector(stream="MZ1")
    detector.feed(bytes(320))
    with pytest.raises(AudioError, match="stream MZ1 byte 322: half a 16-bit sample"):
        detector.feed(bytes(3))
    tone = dtmf("9")
    assert "".join(detector.feed(piece) for piece in in_pieces(tone, 320)) == "9", "the stream goes on"
