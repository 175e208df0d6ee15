"""What a histogram knows of a quantile."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isinf

__all__ = ["estimate_quantile"]


def estimate_quantile(quantile: float, buckets: Mapping[float, float]) -> float | None:
    """A quantile from cumulative buckets, as Prometheus's `histogram_quantile` estimates it: straight lines between the bounds.

    Args:
        quantile: 0 to 1.
        buckets: By upper bound, +Inf among them, how many values lie at or below.

    Returns:
        None where nothing was observed. What lies beyond the last finite bound is told as that bound.

    >>> estimate_quantile(0.5, {1.0: 10.0, 2.0: 20.0, float("inf"): 20.0})
    1.0
    """
    total = buckets.get(inf, 0.0)
    if total <= 0:
        return None
    rank, below, start = quantile * total, 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank and count > below:
            if isinf(bound):
                return start
            # Rounding must not lead out of the bucket.
            return min(bound, start + (bound - start) * (rank - below) / (count - below))
        if not isinf(bound):
            below, start = count, bound
    return start
