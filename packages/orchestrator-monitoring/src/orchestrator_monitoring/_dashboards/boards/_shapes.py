"""The panels that dashboards are made of, said shortly."""

from __future__ import annotations

from orchestrator_monitoring._dashboards.expressions import quantile
from orchestrator_monitoring._dashboards.model import Limit, Panel, Query

__all__ = ["bars", "lines", "number", "quantiles", "stack"]


def lines(
    title: str,
    expr: str,
    legend: str,
    *,
    unit: str = "cps",
    tells: str = "",
    limits: tuple[Limit, ...] = (),
    width: int = 8,
    maximum: float | None = None,
) -> Panel:
    """Values over time."""
    return Panel(
        title=title,
        queries=(Query(expr, legend),),
        unit=unit,
        description=tells,
        limits=limits,
        width=width,
        maximum=maximum,
    )


def stack(title: str, expr: str, legend: str, *, unit: str = "cps", tells: str = "", width: int = 8) -> Panel:
    """Parts of a whole over time."""
    return Panel(title=title, queries=(Query(expr, legend),), unit=unit, description=tells, width=width, stacked=True)


def bars(title: str, expr: str, legend: str, *, unit: str = "short", width: int = 8) -> Panel:
    """How much in the time that is shown, side by side."""
    return Panel(title=title, queries=(Query(expr, legend),), kind="bargauge", unit=unit, width=width)


def number(title: str, expr: str, *, unit: str = "short", tells: str = "", limits: tuple[Limit, ...] = ()) -> Panel:
    """One value, as it is now."""
    return Panel(
        title=title, queries=(Query(expr),), kind="stat", unit=unit, description=tells, limits=limits, width=6, height=5
    )


def quantiles(title: str, histogram: str, *, tells: str = "", width: int = 8) -> Panel:
    """Median and tails of a histogram, in seconds."""
    queries = tuple(Query(quantile(at, histogram), f"p{at * 100:g}") for at in (0.5, 0.95, 0.99))
    return Panel(title=title, queries=queries, unit="s", description=tells, width=width)
