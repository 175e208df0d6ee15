"""A call as an entry of the demo's document."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import cast

from orchestrator_kernel.ports import Json

__all__ = ["call_document"]


def call_document(view: dict[str, Json], at_the_client: Sequence[float]) -> dict[str, Json]:
    """What was said and heard in the turns of a call, and how long its answers took.

    Args:
        view: The call as the service shows it.
        at_the_client: Milliseconds until the answers began, as the caller's side measured them.
    """
    turns = cast("list[dict[str, Json]]", view["turns"])
    latencies = [float(str(turn["latency_ms"])) for turn in turns if turn["latency_ms"] is not None]
    return {
        "id": view["id"],
        "state": view["state"],
        "turns": cast("list[Json]", turns),
        "spoken": [text for turn in turns for text in cast("list[str]", turn["spoken"])],
        "heard": [turn["heard"] for turn in turns],
        "latency_ms": {
            "turns": cast("list[Json]", latencies),
            "median": round(statistics.median(latencies), 2) if latencies else None,
            "max": max(latencies, default=None),
            "at_the_client": [round(each, 1) for each in at_the_client],
        },
    }
