"""Settings of audio and hearing that cannot work are refused, and what they make is what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from app_support import SHORT, TENANT, Commands, settings
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from orchestrator_app.composition.audio import make_hearing
from orchestrator_app.composition.audio_metrics import AUDIO_METRICS
from orchestrator_app.composition.resilience import make_resilience
from orchestrator_calls.transcriber import OpenAITranscriber
from orchestrator_kernel.ports import SystemClock
from orchestrator_performance.audio_metrics import ANSWER_BUCKETS


@pytest.mark.parametrize(
    ("hearing", "message"),
    [
        ({"backend": "openai"}, "openai_key is needed"),
        ({"backend": "commands", "commands": ()}, "commands must not be empty"),
        ({"pause": 0.6, "end": 0.5}, "pause must not be longer than end"),
    ],
)
def test_what_cannot_hear_is_refused(tmp_path: Path, hearing: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(tmp_path, hearing=hearing)


def test_a_tenant_whose_callers_nobody_would_hear_is_refused(tmp_path: Path) -> None:
    tenants = {TENANT: {**SHORT[TENANT], "line": "stream"}}
    with pytest.raises(ValidationError, match="nobody would hear the callers of harbour"):
        settings(tmp_path, tenants=tenants)
    settings(tmp_path, tenants=tenants, hearing={"backend": "commands"})


async def test_hearing_is_made_as_it_is_set(tmp_path: Path) -> None:
    tenants = {TENANT: {**SHORT[TENANT], "commands": ("yes", "no")}, "garden": {}}
    configured = settings(
        tmp_path,
        tenants=tenants,
        hearing={"backend": "openai", "openai_key": "k", "end": 0.8, "pause": 0.3, "keys": True},
        audio={"buffer_mb": 2, "max_streams": 7, "resampling": "soxr"},
    )
    registry = CollectorRegistry()
    hearing = make_hearing(configured, make_resilience(configured, SystemClock()), registry)
    await hearing.start()
    assert isinstance(hearing.transcriber, OpenAITranscriber)
    assert hearing.audio.budget.limit == 2_097_152
    ear = hearing.ear(configured.tenants[TENANT])
    assert (ear.endpointing.end_ms, ear.endpointing.pause_ms, ear.keys, ear.early) == (800.0, 300.0, True, False)
    assert ear.phrases == ("yes", "no")
    assert "goodbye" in hearing.ear(configured.tenants["garden"]).phrases
    await hearing.stop()
    told = {sample.name for family in registry.collect() for sample in family.samples}
    declared = {sample for metric in AUDIO_METRICS for sample in metric.samples}
    assert {name for name in told if not name.endswith("_created")} == declared
    [histogram] = [metric for metric in AUDIO_METRICS if metric.name.endswith("answer_seconds")]
    assert tuple(histogram.buckets) == ANSWER_BUCKETS


def test_check_says_whether_the_recognizer_knows_the_words(tmp_path: Path, command: Commands) -> None:
    (tmp_path / "orchestrator.toml").write_text('[hearing]\nbackend = "commands"\n')
    done = command("check", folder=tmp_path)
    assert "knows every word of the lists" in done.stdout
    (tmp_path / "orchestrator.toml").write_text('[hearing]\nbackend = "commands"\ncommands = ["frobnicate"]\n')
    done = command("check", folder=tmp_path)
    assert done.returncode == 1
    assert "does not know: frobnicate" in done.stdout
