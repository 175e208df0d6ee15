"""What the memory optimizer is told. Bytes and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["GcTuning", "MemoryConfig"]

MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GcTuning:
    """How Python's collector of cycles is set after start-up.

    Attributes:
        freeze: Leave everything that was made by then out of all later collections: it lives as long as the process.
        thresholds: See `gc.set_threshold`. The default collects the young ten times less often than Python does.
    """

    freeze: bool = True
    thresholds: tuple[int, int, int] = (7_000, 20, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryConfig:
    """Limits and intervals.

    Attributes:
        limit_bytes: What the process may hold (resident); above it, components shed.
        high: The share of the limit at which shedding begins, and ...
        low: ... the share that it aims at.
        interval: Between two samples.
        cooldown: Between two rounds of shedding.
        history: How long samples are kept, for the trend.
        trend_after: How long after the start the trend is looked for: caches fill first.
        growth_per_hour: Slower growth is no leak.
        confidence: From which on growth is called a suspected leak, 0 to 1.
        gc: How the collector is set; None leaves it alone.

    Raises:
        ConfigurationError: A value is out of range; the message names it.
    """

    limit_bytes: int = 1024 * MB
    high: float = 0.9
    low: float = 0.75
    interval: float = 10.0
    cooldown: float = 30.0
    history: float = 7200.0
    trend_after: float = 600.0
    growth_per_hour: int = 10 * MB
    confidence: float = 0.99
    gc: GcTuning | None = GcTuning()

    def __post_init__(self) -> None:
        for setting in ("limit_bytes", "interval", "history"):
            if not 0 < getattr(self, setting) < inf:
                raise ConfigurationError(f"{setting} must be a positive number", details={"setting": setting})
        for setting in ("cooldown", "trend_after", "growth_per_hour"):
            if not 0 <= getattr(self, setting) < inf:
                raise ConfigurationError(f"{setting} must be 0 or a positive number", details={"setting": setting})
        if not 0 < self.low < self.high <= 1:
            raise ConfigurationError("low and high must be shares, 0 < low < high <= 1", details={"setting": "high"})
        if not 0.5 <= self.confidence < 1:
            raise ConfigurationError("confidence must be 0.5 to less than 1", details={"setting": "confidence"})
