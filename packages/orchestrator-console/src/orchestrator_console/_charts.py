"""The geometry of the charts: pure; the templates draw it as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

__all__ = ["Bar", "BarChart", "Bin", "Tick", "histogram", "latency_chart", "sparkline"]

_SPARK_WIDTH: Final = 72.0
_SPARK_HEIGHT: Final = 18.0
_SPARK_POINTS: Final = 24
_EDGES: Final = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the axis."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One turn; `slow` when it took longer than the target."""

    x: float
    y: float
    width: float
    height: float
    slow: bool
    number: int
    label: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Turns from left to right; all in units of the view box."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    target_y: float
    target: str


@dataclass(frozen=True, slots=True)
class Bin:
    """How many turns took less than `below` milliseconds and not less than the bin before; None for the last one."""

    label: str
    count: int
    share: float
    slow: bool


def sparkline(values: Sequence[float], target: float) -> tuple[str, float]:
    """The points of a line through the last values, and the height of the target; the scale holds both.

    >>> sparkline([0.0, 800.0], 800.0)
    ('1,17 71,1', 1.0)
    """
    shown = values[-_SPARK_POINTS:]
    top = max([target, *shown]) or 1.0
    step = (_SPARK_WIDTH - 2) / max(1, len(shown) - 1)
    points = " ".join(f"{1 + index * step:.4g},{_spark_y(value, top):.4g}" for index, value in enumerate(shown))
    return points, round(_spark_y(target, top), 2)


def _spark_y(value: float, top: float) -> float:
    return 1 + (_SPARK_HEIGHT - 2) * (1 - value / top)


def latency_chart(
    values: Sequence[float | None], target: float, *, width: float = 560, height: float = 180
) -> BarChart:
    """One bar per turn, a gap for a turn without sound; the axis begins at 0 and ends at a round figure."""
    known = [value for value in values if value is not None]
    top = _round_up(max([target, *known]))
    left, bottom = 44.0, height - 18
    place = (width - left) / max(12, len(values))
    bars = tuple(
        Bar(
            x=round(left + index * place + place * 0.15, 2),
            y=round(bottom - value / top * (bottom - 6), 2),
            width=round(min(place * 0.7, 28), 2),
            height=round(value / top * (bottom - 6), 2),
            slow=value > target,
            number=index + 1,
            label=f"{value:.0f}",
        )
        for index, value in enumerate(values)
        if value is not None
    )
    ticks = tuple(Tick(round(bottom - part / 4 * (bottom - 6), 2), f"{top * part / 4:g}") for part in range(5))
    return BarChart(width, height, bars, ticks, round(bottom - target / top * (bottom - 6), 2), f"{target:g}")


def _round_up(value: float) -> float:
    """The next 1, 2, 4 or 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)


def histogram(values: Sequence[float], target: float) -> tuple[Bin, ...]:
    """How the values spread; each bin holds twice the span of the one before, the last one all the rest."""
    edges = (0.0, *_EDGES, math.inf)
    counts = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
    most = max([*counts, 1])
    labels = [*(f"to {edge:g}" for edge in _EDGES), "more"]
    return tuple(
        Bin(label, number, number / most, low >= target)
        for label, number, low in zip(labels, counts, edges, strict=False)
    )
