"""When a kept value may be given away, and when it is loaded anew. Pure; all times are monotonic seconds.

XFetch (Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", PVLDB 8, 2015): a caller loads anew before the value
expires when `now - cost * beta * ln(random) >= expiry`. The longer a load takes the earlier it begins, and no two processes choose the
same moment.
"""

from __future__ import annotations

from enum import Enum
from math import log
from typing import Final

__all__ = ["CALM_SPANS", "Verdict", "judge", "lifetime", "xfetch"]

CALM_SPANS: Final = 37.0
"""Further than this many `cost * beta` before its time nobody loads anew: random() knows no smaller number than 2^-53, and its logarithm is -36.7."""


class Verdict(Enum):
    """What to do with a kept value."""

    FRESH = "fresh"
    EARLY = "early"
    """Give it away, and load it anew."""
    STALE = "stale"
    """Its time is over; give it away, and load it anew."""
    IN_NEED = "in need"
    """Load it anew, and give it away only if that fails."""
    GONE = "gone"


def xfetch(now: float, fresh: float, *, cost: float, beta: float, roll: float) -> bool:
    """Whether to load anew already; `roll` is random in [0, 1)."""
    return now - cost * beta * log(1.0 - roll) >= fresh


def judge(
    now: float, fresh: float, *, cost: float, beta: float, roll: float, revalidate: float, if_error: float
) -> Verdict:
    """The verdict on a value that is fresh until `fresh` and took `cost` seconds to load."""
    if now < fresh:
        return Verdict.EARLY if beta and xfetch(now, fresh, cost=cost, beta=beta, roll=roll) else Verdict.FRESH
    if now < fresh + revalidate:
        return Verdict.STALE
    return Verdict.IN_NEED if now < fresh + if_error else Verdict.GONE


def lifetime(ttl: float, jitter: float, roll: float) -> float:
    """How long a value is fresh: `ttl`, shortened by up to the share `jitter`."""
    return ttl * (1.0 - jitter * roll)
