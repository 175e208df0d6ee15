"""`orchestrator bench`: a load of calls, and what it says of them."""

from __future__ import annotations

import json
from pathlib import Path

from app_support import Commands


def test_a_small_load_is_answered_and_measured(command: Commands, tmp_path: Path) -> None:
    load = ["--calls", "8", "--every", "0.5", "--seconds", "2", "--target", "20000"]

    done = command("bench", *load, "--most", "8", "--json", folder=tmp_path)

    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (told["count"], told["errors"], told["warmup_errors"]) == (32, {}, 0)
    assert told["calls"] == 8
    assert 0 < told["percentiles"]["p50"] <= told["percentiles"]["p99"]
    # What was measured is the service, a process of its own.
    assert told["resources"]["peak_bytes"] > 30_000_000
    assert told["resources"]["collections"] is None
    assert told["capacity"] == {"carried": 8, "refused": None, "trials": [[8, True]]}
    assert "8 calls: p99" in done.stderr


def test_a_target_that_cannot_be_kept_is_missed(command: Commands, tmp_path: Path) -> None:
    load = ["--calls", "30", "--every", "0.2", "--seconds", "1", "--target", "1"]

    done = command("bench", *load, folder=tmp_path)

    assert done.returncode in {1, 3}  # 3: the machine's own idle loop is slower than that
    assert "p99 <= 1 ms" in done.stdout


def test_a_service_that_is_not_there_is_told(command: Commands, tmp_path: Path) -> None:
    load = ["--calls", "2", "--every", "0.2", "--seconds", "1", "--url", "http://127.0.0.1:9"]

    done = command("bench", *load, folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "orchestrator: the service: connect failed"
