"""The process under its load: event loop, collector, processor, memory, and how long things take.

What the user types:

    monitor = Monitor(MonitorConfig(interval=5))
    async with monitor:
        with monitor.timers.time("dependency", "hotel system"):
            await hotels.search(…)
        print(monitor.latest(), monitor.alerts)

- A sample waits for nothing and starts no collection. What sampling costs is measured; where it would pass its share of a core, samples are
  taken less often.
- A loop that stands still is caught in the act by a thread, with the place where it stands.
- Thresholds change their state after several samples in a row, and back only well below; one that names a measure which is not there is refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_performance._monitor.config import DEFAULT_THRESHOLDS, MonitorConfig, Threshold
from orchestrator_performance._monitor.gc_pauses import GcPauses
from orchestrator_performance._monitor.loop_lag import Blocked, LoopWatch
from orchestrator_performance._monitor.process import ProcessReader
from orchestrator_performance._monitor.thresholds import Alert, Thresholds
from orchestrator_performance._monitor.timers import KINDS, Timers
from orchestrator_performance._monitor.timing_middleware import TimingMiddleware

__all__ = [
    "DEFAULT_THRESHOLDS",
    "KINDS",
    "Alert",
    "Blocked",
    "Monitor",
    "MonitorConfig",
    "Sample",
    "Source",
    "Threshold",
    "Timers",
    "TimingMiddleware",
]

logger = logging.getLogger(__name__)

Source = Callable[[], Mapping[str, float]]
"""Measures of somebody else, asked at every sample; the names are always the same."""

_OWN: Final = (
    *("cpu.share", "cpu.seconds", "memory.rss", "memory.peak", "memory.blocks", "threads", "fds.open", "fds.share"),
    *("loop.lag_p50", "loop.lag_p99", "loop.lag_max", "loop.blocks", "tasks"),
    *("gc.collections", "gc.pause_max", "gc.pause_total", "monitor.cost_share"),
    *(f"{kind}.{measure}" for kind in KINDS for measure in ("count", "p50", "p99", "max", "error_share")),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Measures at one moment.

    Attributes:
        at: Monotonic seconds of the monitor's clock.
        measures: By name; seconds, bytes, shares of 1, or counts.
    """

    at: float
    measures: Mapping[str, float]


class Monitor:
    """Watches this process. `async with` it, or call `start` and `stop`.

    Args:
        config: Intervals and thresholds.
        observe: Told of every alert that fires or clears; it must not block.
        clock: Dates samples and alerts.
    """

    def __init__(
        self,
        config: MonitorConfig | None = None,
        *,
        observe: Callable[[Alert], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config or MonitorConfig()
        self.timers = Timers(self.config.names)
        self.loop = LoopWatch(self.config.lag_interval, self.config.blocked_seconds)
        self.gc = GcPauses()
        self.cost_seconds = 0.0
        """Processor time that samples took, since the start."""
        self._observe = observe
        self._clock = clock or SystemClock()
        self._process = ProcessReader()
        self._thresholds = Thresholds(self.config.thresholds)
        self._sources: dict[str, tuple[Source, tuple[str, ...]]] = {}
        self._history: deque[Sample] = deque(maxlen=max(1, int(self.config.history / self.config.interval)))
        self._began = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def add_source(self, name: str, source: Source, measures: Iterable[str]) -> None:
        """Ask `source` at every sample; its measures are called `name.measure`.

        Raises:
            ConfigurationError: The name is taken.
        """
        if name in self._sources:
            raise ConfigurationError(f"there is a source {name} already")
        self._sources[name] = source, tuple(measures)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every measure that a threshold may name."""
        return (*_OWN, *(f"{name}.{each}" for name, (_, measures) in self._sources.items() for each in measures))

    @property
    def alerts(self) -> list[Alert]:
        """What is too high now."""
        return self._thresholds.active

    @property
    def cost_share(self) -> float:
        """What sampling has taken of one core so far."""
        return self.cost_seconds / max(1e-9, time.monotonic() - self._began)

    def latest(self) -> Sample | None:
        """The last sample."""
        return self._history[-1] if self._history else None

    def history(self, metric: str | None = None, *, seconds: float | None = None) -> list[Sample]:
        """The samples of the last so many seconds, oldest first; with one measure only if it is named."""
        since = float("-inf") if seconds is None else self._clock.monotonic() - seconds
        found = [each for each in self._history if each.at >= since]
        if metric is None:
            return found
        return [Sample(each.at, {metric: each.measures[metric]}) for each in found if metric in each.measures]

    def sample(self) -> Sample:
        """Take a sample now: into the history, and past the thresholds."""
        began = time.thread_time()
        measures = self._process.read()
        lag, _ = self.loop.lag.roll()
        measures |= {
            "loop.lag_p50": lag.percentile(50),
            "loop.lag_p99": lag.percentile(99),
            "loop.lag_max": lag.maximum,
            "loop.blocks": float(self.loop.blocks),
            "tasks": float(len(asyncio.all_tasks())),
        }
        measures |= self._collections() | self.timers.roll()
        for name, (source, _) in self._sources.items():
            try:
                measures |= {f"{name}.{each}": value for each, value in source().items()}
            except Exception:
                logger.exception("a source of measures failed", extra={"source": name})
        measures["monitor.cost_share"] = self.cost_share
        sample = Sample(self._clock.monotonic(), measures)
        self._history.append(sample)
        for alert in self._thresholds.judge(measures, sample.at):
            self._tell(alert)
        self.cost_seconds += time.thread_time() - began
        return sample

    def _collections(self) -> dict[str, float]:
        windows = [each.roll()[0] for each in self.gc.pauses]
        return {
            "gc.collections": float(sum(each.count for each in windows)),
            "gc.pause_max": max(each.maximum for each in windows),
            "gc.pause_total": sum(each.total for each in self.gc.pauses),
        }

    def _tell(self, alert: Alert) -> None:
        logger.warning(
            "a measure is too high" if alert.state == "firing" else "a measure is well again",
            extra={"metric": alert.metric, "value": alert.value, "above": alert.above},
        )
        if self._observe is not None:
            try:
                self._observe(alert)
            except Exception:
                logger.exception("an observer of alerts failed")

    async def start(self) -> None:
        """Watch from now on.

        Raises:
            ConfigurationError: A threshold names a measure that nobody takes; says which there are.
        """
        known = self.metrics
        for each in self.config.thresholds:
            if each.metric not in known:
                raise ConfigurationError(
                    f"threshold on {each.metric}: there is no such measure; there is {', '.join(known)}"
                )
        if self._task is None:
            self._began, self.cost_seconds = time.monotonic(), 0.0
            self.loop.start()
            self.gc.start()
            self._task = asyncio.create_task(self._watch(), name="monitor")

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            await cancel(self._task)
            self._task = None
        self.loop.stop()
        self.gc.stop()

    async def _watch(self) -> None:
        interval = self.config.interval
        while True:
            await asyncio.sleep(interval)
            before = self.cost_seconds
            self.sample()
            # One sample must not take more of the time to the next than its share.
            interval = max(self.config.interval, (self.cost_seconds - before) / self.config.cost_share)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
