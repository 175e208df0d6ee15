"""What a scrape tells of audio."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from orchestrator_performance.audio_metrics import AudioMetrics
from orchestrator_performance.audio_optimizer import AudioBudget, AudioBusy


def test_a_scrape_tells_what_waits_and_what_was_lost():
    budget, registry = AudioBudget(3200, max_streams=1), CollectorRegistry()
    metrics = AudioMetrics(registry, budget)
    buffer = budget.open("call-1", max_frames=2)
    for _ in range(3):
        buffer.put(bytes(160))
    buffer.take()
    with pytest.raises(AudioBusy):
        budget.open("call-2")
    metrics.answered(0.52)
    told = generate_latest(registry).decode()
    for line in (
        "orchestrator_audio_streams 1.0",
        "orchestrator_audio_waiting_bytes 160.0",
        "orchestrator_audio_limit_bytes 3200.0",
        "orchestrator_audio_streams_refused_total 1.0",
        'orchestrator_audio_frames_total{fate="put"} 3.0',
        'orchestrator_audio_frames_total{fate="taken"} 1.0',
        'orchestrator_audio_frames_total{fate="dropped"} 1.0',
        'orchestrator_audio_answer_seconds_bucket{le="0.5"} 0.0',
        'orchestrator_audio_answer_seconds_bucket{le="0.6"} 1.0',
    ):
        assert line in told.splitlines()
    assert "call-1" not in told
