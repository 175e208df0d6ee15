"""`orchestrator demo --audio`: the recording of a caller becomes a call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from app_support import Commands, environment

from orchestrator_performance.audio_optimizer import read_wav, write_wav

ROOT = Path(__file__).parents[4]


@pytest.mark.demo
def test_the_recording_in_the_repository_is_heard_answered_and_hung_up(tmp_path: Path) -> None:
    recording = ROOT / "docs" / "audio" / "caller.wav"
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator_app", "demo", "--audio", str(recording), "--json"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["call"]["state"], told["failures"]) == ("ended", [])
    assert [each["heard"] for each in told["utterances"]] == [
        "what time is breakfast",
        "is there parking",
        "do you have wifi",
        "goodbye",
    ]
    assert [each["decided"] for each in told["utterances"]][-1] == "hang up: goodbye"
    assert [each["over_the_desk"] for each in told["utterances"]] == [False, False, True, False]
    cut = told["utterances"][1]
    assert cut["interrupted"]
    assert " ".join(cut["said"]).startswith(cut["played"])
    assert len(cut["played"]) < len(" ".join(cut["said"]))
    assert told["cut_off"] == 1
    assert told["end_of_speech_to_first_audio_ms"]["p95"] <= 800
    heard = read_wav((tmp_path / "demo-call.wav").read_bytes())
    assert heard.encoding == "PCMU"
    assert abs(heard.seconds - told["audio"]["seconds"]) < 0.1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no audio at all", "byte 0: no RIFF header of a WAV file"),
        (write_wav(bytes(16_000), 8000), "nobody says anything in"),
        (write_wav(bytes(16_000), 8000)[:-100], "cut off: 16000 bytes of samples are told, 15900 are there"),
    ],
)
def test_what_is_no_recording_is_told_in_one_sentence(
    content: bytes, message: str, tmp_path: Path, command: Commands
) -> None:
    (tmp_path / "caller.wav").write_bytes(content)
    done = command("demo", "--audio", str(tmp_path / "caller.wav"), folder=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
