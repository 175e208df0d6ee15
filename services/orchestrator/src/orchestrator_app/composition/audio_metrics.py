"""The metrics of the audio path, as data."""

from __future__ import annotations

from typing import Final

from orchestrator_monitoring.metrics import Counter, Gauge, Histogram, Metric, OneOf

__all__ = ["AUDIO_METRICS"]

_A: Final = "orchestrator_audio"

AUDIO_METRICS: Final[tuple[Metric, ...]] = (
    Gauge(f"{_A}_streams", "Streams of audio that are open."),
    Gauge(f"{_A}_waiting_bytes", "Audio that waits, over all streams.", unit="bytes"),
    Gauge(f"{_A}_limit_bytes", "Audio that may wait, over all streams.", unit="bytes"),
    Counter(f"{_A}_streams_refused_total", "Streams for which there was no room."),
    Counter(f"{_A}_frames_total", "Frames by what became of them.", labels={"fate": OneOf("put", "taken", "dropped")}),
    Histogram(
        f"{_A}_answer_seconds",
        "From a caller's last word to the first audio of the answer.",
        unit="seconds",
        buckets=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0),
    ),
)
"""What `orchestrator_performance.audio_metrics` counts."""
