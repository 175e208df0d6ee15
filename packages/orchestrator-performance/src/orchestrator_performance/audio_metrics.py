"""Prometheus metrics of the audio path (extra `[metrics]`).

What the user types:

    metrics = AudioMetrics(registry, audio.budget)
    metrics.answered(0.52)

What waits is read when somebody scrapes, so a frame costs nothing. No metric has a label of a call.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator_performance.audio_optimizer import AudioBudget

__all__ = ["ANSWER_BUCKETS", "AudioMetrics"]

PREFIX = "orchestrator_audio"
ANSWER_BUCKETS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0)
"""Seconds; callers notice a pause from about 0.8 on."""


class AudioMetrics(Collector):
    """Tells what a budget keeps, and how long callers waited.

    Args:
        registry: Where the metrics are registered. One object for a registry.
        budget: Read at each scrape.

    Raises:
        ValueError: The registry has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry, budget: AudioBudget) -> None:
        self._budget = budget
        self._answers = Histogram(
            f"{PREFIX}_answer_seconds",
            "From a caller's last word to the first audio of the answer.",
            buckets=ANSWER_BUCKETS,
            registry=registry,
        )
        registry.register(self)

    def answered(self, seconds: float) -> None:
        """A caller heard the first audio of an answer so long after the last word."""
        self._answers.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client asks for it."""
        stats = self._budget.stats()
        yield GaugeMetricFamily(f"{PREFIX}_streams", "Streams of audio that are open.", value=stats.streams)
        yield GaugeMetricFamily(f"{PREFIX}_waiting_bytes", "Audio that waits, over all streams.", value=stats.bytes)
        yield GaugeMetricFamily(f"{PREFIX}_limit_bytes", "Audio that may wait, over all streams.", value=stats.limit)
        yield CounterMetricFamily(
            f"{PREFIX}_streams_refused", "Streams for which there was no room.", value=stats.refused
        )
        frames = CounterMetricFamily(f"{PREFIX}_frames", "Frames by what became of them.", labels=["fate"])
        for fate, count in (("put", stats.put), ("taken", stats.taken), ("dropped", stats.dropped)):
            frames.add_metric([fate], count)
        yield frames
