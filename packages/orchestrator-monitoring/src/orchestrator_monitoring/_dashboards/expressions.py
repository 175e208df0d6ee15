"""The few shapes that most queries of dashboards have."""

from __future__ import annotations

__all__ = ["by", "quantile", "rate", "share", "total"]

WINDOW = "[$__rate_interval]"


def rate(selector: str) -> str:
    """Per second.

    >>> rate('x_total{a="b"}')
    'rate(x_total{a="b"}[$__rate_interval])'
    """
    return f"rate({selector}{WINDOW})"


def by(selector: str, *labels: str) -> str:
    """Per second, by these labels."""
    return f"sum by ({', '.join(labels)}) ({rate(selector)})" if labels else f"sum({rate(selector)})"


def total(selector: str, *labels: str) -> str:
    """How many in the time that is shown."""
    grouped = f"sum by ({', '.join(labels)})" if labels else "sum"
    return f"{grouped} (increase({selector}[$__range]))"


def share(part: str, whole: str) -> str:
    """Which part of the whole; nothing where there is no whole, rather than a made-up 0 or 100 %."""
    return f"({by(part)} or 0 * {by(whole)}) / ({by(whole)} > 0)"


def quantile(at: float, histogram: str, *labels: str, where: str = "") -> str:
    """A quantile of a histogram, `le` kept."""
    return f"histogram_quantile({at:g}, {by(f'{histogram}_bucket{where}', 'le', *labels)})"
