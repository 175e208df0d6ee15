"""The business figures of everything that was counted so far, for people and pages without a Prometheus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator_kernel.ports import Json
from orchestrator_monitoring._metrics.quantiles import estimate_quantile
from orchestrator_monitoring._metrics.registry import Sample

__all__ = ["summarize"]

_PREFIX: Final = "orchestrator_"
_QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class _Counted:
    """Samples by name, of one tenant or of all."""

    def __init__(self, samples: Iterable[Sample], tenant: str | None) -> None:
        self._by_name: defaultdict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            if tenant is None or sample.labels.get("tenant", tenant) == tenant:
                self._by_name[sample.name.removeprefix(_PREFIX)].append(sample)

    def total(self, name: str, **labels: str) -> float:
        return sum(each.value for each in self._by_name[name] if labels.items() <= dict(each.labels).items())

    def by(self, name: str, *labels: str) -> dict[str, Json]:
        counted: defaultdict[str, float] = defaultdict(float)
        for each in self._by_name[name]:
            counted[" ".join(each.labels[label] for label in labels)] += each.value
        return {key: value for key, value in sorted(counted.items()) if value}

    def mean(self, name: str) -> float | None:
        return ratio(self.total(f"{name}_sum"), self.total(f"{name}_count"))

    def quantiles(self, name: str, **labels: str) -> dict[str, Json] | None:
        buckets: defaultdict[float, float] = defaultdict(float)
        for each in self._by_name[f"{name}_bucket"]:
            if labels.items() <= dict(each.labels).items():
                buckets[float(each.labels["le"])] += each.value
        if not any(buckets.values()):
            return None
        return {key: estimate_quantile(value, buckets) for key, value in _QUANTILES.items()}


def ratio(part: float, whole: float) -> float | None:
    """How much of the whole; None of nothing."""
    return part / whole if whole else None


def summarize(samples: Iterable[Sample], *, tenant: str | None = None) -> Mapping[str, Json]:
    """Counts, ratios and quantiles since counting began. What was never counted is null, not zero.

    Args:
        samples: What `Metrics.read` gives.
        tenant: Only this tenant's; figures that are not kept by tenant (quantiles of turns, ratios of words by turn) are then left out.
    """
    counted = _Counted(samples, tenant)
    ended = counted.total("calls_ended_total")
    told: dict[str, Json] = {
        "calls": {
            "started": counted.total("calls_started_total"),
            "answered": counted.total("calls_answered_total"),
            "in_progress": counted.by("calls_in_progress", "state"),
            "ended": counted.by("calls_ended_total", "outcome"),
            "success_ratio": ratio(ended - counted.total("calls_ended_total", outcome="failed"), ended),
            "abandoned_by_stage": counted.by("calls_abandoned_total", "stage"),
            "failed_by_reason": counted.by("calls_failed_total", "reason"),
        },
        "understanding": {
            "intents": counted.by("intents_total", "intent"),
            "misunderstandings": counted.by("misunderstandings_total", "kind"),
            "heard_ratio": ratio(counted.total("words_heard_total"), counted.total("words_spoken_total")),
            "barge_ins": counted.total("barge_ins_total"),
        },
        "handoffs": counted.by("handoffs_total", "outcome"),
        "actions": counted.by("call_actions_total", "action", "status"),
        "goals": {
            "reached": counted.by("goals_reached_total", "goal"),
            "value": counted.by("goal_value_total", "goal", "currency"),
            "conversion_ratio": ratio(counted.total("calls_converted_total"), ended),
        },
        "satisfaction": {
            "answers": counted.total("satisfaction_score_count"),
            "mean": counted.mean("satisfaction_score"),
        },
        "cost": counted.by("cost_total", "service", "currency"),
    }
    return told if tenant is not None else {**told, "turns": _turns(counted)}


def _turns(counted: _Counted) -> dict[str, Json]:
    return {
        "ended": counted.by("turns_total", "outcome"),
        "seconds": counted.quantiles("call_turn_seconds"),
        "recognition_seconds": counted.quantiles("turn_stage_seconds", stage="recognition"),
        "answer_seconds": counted.quantiles("turn_stage_seconds", stage="answer"),
        "voice_seconds": counted.quantiles("turn_stage_seconds", stage="voice"),
        "confidence": counted.mean("intent_confidence_ratio"),
    }
