"""Makes `audio_signals` importable; and whether Python's own C code does it, or ours: both are to give the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator_performance._audio import native

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=["without audioop", *(["with audioop"] if native.audioop() else [])])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Without `audioop`, and with it where this Python has it."""
    if request.param == "without audioop":
        for module in ("g711", "levels", "dots"):
            monkeypatch.setattr(f"orchestrator_performance._audio.{module}.audioop", lambda: None)
    _forget()
    yield request.param
    _forget()


def _forget() -> None:
    """Filters that were made in one way are not for the other."""
    from orchestrator_performance._audio import dtmf, resample

    dtmf._bank.cache_clear()
    resample._filter.cache_clear()
