"""A recording is cut into what was said."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

import pytest

from orchestrator_app.cli._recording import cut, load_caller
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_performance.audio_optimizer import write_wav


def tone(seconds: float, rate: int = 8000) -> bytes:
    step = 2 * math.pi * 440 / rate
    return array("h", (round(8000 * math.sin(step * number)) for number in range(round(seconds * rate)))).tobytes()


def silence(seconds: float, rate: int = 8000) -> bytes:
    return bytes(round(seconds * rate) * 2)


def test_silence_parts_utterances_and_a_short_pause_does_not() -> None:
    pcm = silence(1) + tone(0.5) + silence(0.4) + tone(0.3) + silence(1.2) + tone(0.6) + silence(0.5)
    assert [(round(each.seconds, 1), round(each.after, 1)) for each in cut(pcm)] == [(1.2, 1.0), (0.6, 1.2)]


def test_a_click_is_no_utterance() -> None:
    assert cut(silence(1) + tone(0.04) + silence(1)) == []
    assert cut(b"") == cut(silence(3)) == []


def test_recordings_of_any_rate_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "caller.wav"
    path.write_bytes(write_wav(silence(0.5, 44_100) + tone(0.8, 44_100), 44_100))
    wav, [said] = load_caller(path)
    assert wav.sample_rate == 44_100
    assert said.seconds == pytest.approx(0.8, abs=0.05)
    path.write_bytes(write_wav(silence(1), 8000))
    with pytest.raises(ValidationError, match="nobody says anything"):
        load_caller(path)
