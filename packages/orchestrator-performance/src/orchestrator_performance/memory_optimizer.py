"""Memory: what the process holds, who gives some back, and whether it leaks.

What the user types:

    memory = MemoryOptimizer(MemoryConfig(limit_bytes=512 * 1024 * 1024))
    memory.register(Component("profiles", usage=lambda: cache.stats().bytes, shed=shed_cache(cache)))
    async with memory:
        ...
        print(memory.report())

- A sample reads /proc; it never collects, and never stops the event loop. Nowhere here is `gc.collect()` called.
- Above its share of the limit the process asks components for memory, caches first, and passes what was given back on to the system.
- After start-up, what is there is put aside from all later collections (`gc.freeze`) and the collector's thresholds are raised.
- A leak is a suspicion: resident memory that grows, faster than a rate, with a confidence that neighbours resembling each other do not inflate.
- `watch_growth` says where memory grows, in windows of seconds.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from orchestrator_kernel.lifecycle import cancel
from orchestrator_performance._memory.budget import Budget, Component, Shed
from orchestrator_performance._memory.config import GcTuning, MemoryConfig
from orchestrator_performance._memory.growth import Growth, GrowthBusy, GrowthWindow, watch_growth
from orchestrator_performance._memory.sampling import MemorySample, read_memory
from orchestrator_performance._memory.trend import Trend, trend_of

if TYPE_CHECKING:
    from orchestrator_performance._cache.cache import Cache

__all__ = [
    "Component",
    "GcTuning",
    "Growth",
    "GrowthBusy",
    "GrowthWindow",
    "LeakSuspicion",
    "MemoryConfig",
    "MemoryOptimizer",
    "MemoryReport",
    "MemorySample",
    "MemoryState",
    "Shed",
    "Trend",
    "read_memory",
    "shed_cache",
    "trend_of",
    "watch_growth",
]

logger = logging.getLogger(__name__)

_KEPT_SHEDS: Final = 100


class MemoryState(StrEnum):
    """How the process stands to its limit."""

    HEALTHY = "healthy"
    WARNING = "warning"
    """Above the share at which components shed, or a leak is suspected."""
    CRITICAL = "critical"
    """Above the limit."""


@dataclass(frozen=True, slots=True)
class LeakSuspicion:
    """Memory that grows and does not stop.

    Attributes:
        bytes_per_hour: How fast.
        confidence: That it grows, 0 to 1.
        limit_in: Seconds until the limit is reached at this rate; 0 if it is.
    """

    bytes_per_hour: float
    confidence: float
    limit_in: float


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """The process at one moment.

    Attributes:
        state: How it stands to its limit.
        sample: The last sample.
        limit: Bytes.
        components: Bytes by component.
        trend: How resident memory moves; None before there are enough samples.
        leak: A suspicion, if there is one.
        sheds: What components gave back lately, oldest first.
        frozen: Objects put aside from collections.
        thresholds: Of the collector.
        growth: The last window of `watch_growth`, if one was opened here.
    """

    state: MemoryState
    sample: MemorySample
    limit: int
    components: dict[str, int]
    trend: Trend | None
    leak: LeakSuspicion | None
    sheds: tuple[Shed, ...]
    frozen: int
    thresholds: tuple[int, int, int]
    growth: GrowthWindow | None


class MemoryOptimizer:
    """Watches the memory of this process. `async with` it, or call `start`, when everything is made, and `stop`.

    Args:
        config: Limits and intervals.
        read: Takes a sample at a monotonic time.
        observe: Told of what components gave back.
    """

    def __init__(
        self,
        config: MemoryConfig | None = None,
        *,
        read: Callable[[float], MemorySample] = read_memory,
        observe: Callable[[Shed], None] | None = None,
    ) -> None:
        self.config = config or MemoryConfig()
        self.budget = Budget()
        self._read = read
        self._observe = observe
        self._samples: deque[MemorySample] = deque(maxlen=max(2, int(self.config.history / self.config.interval)))
        self._sheds: deque[Shed] = deque(maxlen=_KEPT_SHEDS)
        self._shed_at = float("-inf")
        self._began = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._thresholds: tuple[int, int, int] | None = None
        self._growth: GrowthWindow | None = None
        self.freed_bytes: dict[str, int] = {}
        """What each component has given back since the start."""
        self.leaks_suspected = 0
        """How often a suspicion began."""
        self._suspected = False

    def register(self, component: Component) -> None:
        """Take a component into the budget.

        Raises:
            ConfigurationError: The name is taken.
        """
        self.budget.register(component)

    # -- the collector

    def tune(self) -> None:
        """Set the collector as configured, once; `restore` undoes it. Call it when everything is made, before the first request."""
        tuning = self.config.gc
        if tuning is None or self._thresholds is not None:
            return
        self._thresholds = gc.get_threshold()
        gc.set_threshold(*tuning.thresholds)
        if tuning.freeze:
            gc.freeze()

    def restore(self) -> None:
        """Set the collector back."""
        if self._thresholds is None:
            return
        gc.set_threshold(*self._thresholds)
        if self.config.gc is not None and self.config.gc.freeze:
            gc.unfreeze()
        self._thresholds = None

    # -- sampling

    def sample(self) -> MemorySample:
        """Take a sample into the history."""
        sample = self._read(time.monotonic())
        self._samples.append(sample)
        return sample

    async def check(self) -> list[Shed]:
        """Take a sample, and have components shed if it is time; what they gave back."""
        sample, config = self.sample(), self.config
        done = await self.budget.keep_limits()
        if sample.rss > config.high * config.limit_bytes and sample.at - self._shed_at >= config.cooldown:
            self._shed_at = sample.at
            done += await self.free(sample.rss - int(config.low * config.limit_bytes), _noted=False)
        self._note(done)
        suspicion = self._leak(sample, self._trend())
        if suspicion is not None and not self._suspected:
            self.leaks_suspected += 1
            logger.warning(
                "memory grows and does not stop",
                extra={
                    "mb_per_hour": round(suspicion.bytes_per_hour / 2**20, 1),
                    "confidence": round(suspicion.confidence, 3),
                },
            )
        self._suspected = suspicion is not None
        return done

    async def free(self, wanted: int, *, _noted: bool = True) -> list[Shed]:
        """Have components give back so many bytes, whatever the limits say, and pass free memory on to the system."""
        done = await self.budget.free(wanted)
        if any(each.freed for each in done):
            await asyncio.to_thread(_trim)
        if _noted:
            self._note(done)
        return done

    def _note(self, sheds: list[Shed]) -> None:
        for each in sheds:
            self._sheds.append(each)
            self.freed_bytes[each.component] = self.freed_bytes.get(each.component, 0) + each.freed
            logger.info(
                "memory was given back",
                extra={"component": each.component, "asked": each.asked, "freed": each.freed, "reason": each.reason},
            )
            if self._observe is not None:
                self._observe(each)

    async def watch_growth(self, seconds: float = 2.0) -> GrowthWindow:
        """`watch_growth`, kept for the report.

        Raises:
            GrowthBusy: A window is open already.
        """
        self._growth = await watch_growth(seconds)
        return self._growth

    # -- what it means

    def _trend(self) -> Trend | None:
        settled = [each for each in self._samples if each.at >= self._began + self.config.trend_after]
        return trend_of([each.at for each in settled], [each.rss for each in settled])

    def _leak(self, sample: MemorySample, trend: Trend | None) -> LeakSuspicion | None:
        config = self.config
        if trend is None or trend.confidence < config.confidence:
            return None
        per_hour = trend.per_second * 3600
        if per_hour < max(1, config.growth_per_hour):
            return None
        return LeakSuspicion(per_hour, trend.confidence, max(0.0, (config.limit_bytes - sample.rss) / trend.per_second))

    def report(self) -> MemoryReport:
        """The process now."""
        sample = self._samples[-1] if self._samples else self.sample()
        trend = self._trend()
        leak = self._leak(sample, trend)
        state = MemoryState.HEALTHY
        if leak is not None or sample.rss > self.config.high * self.config.limit_bytes:
            state = MemoryState.WARNING
        if sample.rss > self.config.limit_bytes:
            state = MemoryState.CRITICAL
        return MemoryReport(
            state=state,
            sample=sample,
            limit=self.config.limit_bytes,
            components=self.budget.usage(),
            trend=trend,
            leak=leak,
            sheds=tuple(self._sheds),
            frozen=gc.get_freeze_count(),
            thresholds=gc.get_threshold(),
            growth=self._growth,
        )

    # -- life

    async def start(self) -> None:
        """Set the collector, and watch from now on."""
        self.tune()
        self._began = time.monotonic()
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="memory")

    async def stop(self) -> None:
        """Watch no more, and set the collector back."""
        if self._task is not None:
            await cancel(self._task)
            self._task = None
        self.restore()

    async def _watch(self) -> None:
        while True:
            try:
                await self.check()
            except Exception:
                logger.exception("a memory sample failed")
            await asyncio.sleep(self.config.interval)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


def shed_cache(cache: Cache[Any]) -> Callable[[int], Awaitable[int]]:
    """A component's `shed` for a cache: the least valuable entries leave, a few at a time."""

    async def shed(wanted: int) -> int:
        held = cache.stats().bytes
        return await cache.shed(min(1.0, wanted / held)) if held else 0

    return shed


def _trim() -> None:
    """Pass freed memory on to the system, where the C library can; on a thread, which it does not stop."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
