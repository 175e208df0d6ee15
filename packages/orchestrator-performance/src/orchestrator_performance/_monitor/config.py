"""What the monitor is told. Seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["DEFAULT_THRESHOLDS", "MonitorConfig", "Threshold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """When a measure is too high, and when it is well again.

    Attributes:
        metric: The measure's name, see `Monitor.metrics`.
        above: Too high from here on.
        clear_below: Well again below this; nine tenths of `above` when None. In between nothing changes.
        samples: So many samples in a row change the state, either way.
    """

    metric: str
    above: float
    clear_below: float | None = None
    samples: int = 3

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ConfigurationError(f"threshold on {self.metric}: samples must be 1 or more")
        if self.clear_below is not None and self.clear_below > self.above:
            raise ConfigurationError(f"threshold on {self.metric}: clear_below must not be higher than above")


DEFAULT_THRESHOLDS = (
    Threshold(metric="memory.rss", above=1024 * 1024 * 1024),
    Threshold(metric="cpu.share", above=0.9),
    Threshold(metric="loop.lag_p99", above=0.1),
    Threshold(metric="gc.pause_max", above=0.25),
    Threshold(metric="fds.share", above=0.8),
    Threshold(metric="request.p99", above=1.0),
    Threshold(metric="request.error_share", above=0.05),
)
"""A gigabyte, nine tenths of a core, a loop that is late by 100 ms, a quarter of a second of garbage collection, most of the file descriptors,
requests that take a second or fail one time in twenty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorConfig:
    """Intervals and limits.

    Attributes:
        interval: Between two samples; longer where sampling would cost more than `cost_share`.
        lag_interval: How often the lag of the event loop is measured.
        blocked_seconds: A loop that stands still for longer is caught in the act, with the place.
        history: How long samples are kept.
        cost_share: What sampling may take of one core.
        names: How many names a kind of timer may have; further ones are counted as `other`.
        thresholds: What raises alerts.

    Raises:
        ConfigurationError: A value is out of range; the message names it.
    """

    interval: float = 5.0
    lag_interval: float = 0.05
    blocked_seconds: float = 0.1
    history: float = 3600.0
    cost_share: float = 0.005
    names: int = 100
    thresholds: tuple[Threshold, ...] = DEFAULT_THRESHOLDS

    def __post_init__(self) -> None:
        for setting in ("interval", "lag_interval", "blocked_seconds", "history", "cost_share", "names"):
            if not 0 < getattr(self, setting) < inf:
                raise ConfigurationError(f"{setting} must be a positive number", details={"setting": setting})
