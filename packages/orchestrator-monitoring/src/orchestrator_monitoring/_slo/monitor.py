"""The monitor: samples this process's counters, and says how the objectives stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator_kernel.ports import Clock
from orchestrator_monitoring._metrics.declarations import Gauge, Metric
from orchestrator_monitoring._metrics.label_bounds import AtMost
from orchestrator_monitoring._slo.budgets import SloReport, judge
from orchestrator_monitoring._slo.forecasts import Forecast, HourCounts, forecast
from orchestrator_monitoring._slo.indicators import Reading
from orchestrator_monitoring._slo.loading import SloSet
from orchestrator_monitoring._slo.objectives import Slo
from orchestrator_monitoring._slo.samples import Sampler
from orchestrator_monitoring._slo.store import CountsSource, SloStore

__all__ = [
    "BURN_RATE",
    "CONSUMED",
    "ERROR_RATIO",
    "EVENTS",
    "OBJECTIVE",
    "SLO_METRICS",
    "SloMonitor",
    "SloStanding",
]


_SLO: Final = AtMost(100)
OBJECTIVE: Final = Gauge(
    "orchestrator_slo_objective_ratio",
    "The good share that is promised.",
    unit="ratio",
    labels={"slo": _SLO},
    across="max",
)
ERROR_RATIO: Final = Gauge(
    "orchestrator_slo_error_ratio",
    "The bad share over a window; not there without events.",
    unit="ratio",
    labels={"slo": _SLO, "window": AtMost(20)},
    across="max",
)
BURN_RATE: Final = Gauge(
    "orchestrator_slo_burn_rate_ratio",
    "How fast the error budget is spent, 1 being the pace that spends all of it over the window.",
    unit="ratio",
    labels={"slo": _SLO, "window": AtMost(20)},
    across="max",
)
CONSUMED: Final = Gauge(
    "orchestrator_slo_error_budget_consumed_ratio",
    "The share of the error budget that is spent.",
    unit="ratio",
    labels={"slo": _SLO},
    across="max",
)
EVENTS: Final = Gauge(
    "orchestrator_slo_window_events", "Events in the objective's window.", labels={"slo": _SLO}, across="max"
)
SLO_METRICS: Final[tuple[Metric, ...]] = (OBJECTIVE, ERROR_RATIO, BURN_RATE, CONSUMED, EVENTS)
"""What the monitor exports about the objectives, for the catalogue."""


@dataclass(frozen=True, slots=True)
class SloStanding:
    """How an objective stands, and where it goes.

    Attributes:
        report: Now.
        forecast: If the present goes on.
        at: Unix seconds of the judgement.
    """

    report: SloReport
    forecast: Forecast
    at: float


class SloMonitor:
    """Embedded: this process's counters are sampled into a store that all processes share; any of them can judge.

    With Prometheus as `source`, nothing is sampled here, and the figures are the same.
    """

    def __init__(
        self,
        slos: SloSet,
        store: SloStore,
        read: Callable[[], Iterable[Reading]],
        *,
        clock: Clock,
        process: str,
        source: CountsSource | None = None,
    ) -> None:
        """Set up.

        Args:
            slos: The objectives.
            store: Where samples are kept.
            read: The samples of this process, and of no other.
            clock: Says what time it is.
            process: Unique to this run of this process.
            source: Asked instead of the store, where a Prometheus server sees more than this service's own samples.
        """
        self.slos = slos
        self.store = store
        self._source = source or store
        self._clock = clock
        self._sampler = Sampler(slos.slos, read, process=process, maintenance=slos.maintenance)
        self.latest: tuple[SloStanding, ...] = ()

    @property
    def waiting(self) -> int:
        """Samples that could not be kept yet."""
        return len(self._sampler.waiting)

    async def sample(self) -> None:
        """Take what was counted since the last time, and keep it; the first call only remembers where the counters stand.

        Raises:
            DatabaseError: It could not be kept; it waits for the next call, and nothing is lost.
        """
        now = self._clock.now().timestamp()
        self._sampler.look(now)
        waiting = list(self._sampler.waiting)
        await self.store.add(waiting)
        del self._sampler.waiting[: len(waiting)]

    async def evaluate(self) -> tuple[SloStanding, ...]:
        """How every objective stands now; also kept as `latest`.

        Raises:
            OrchestratorError: The events cannot be counted now; `latest` stays as it was.
        """
        now = self._clock.now().timestamp()
        counts = await self._source.counts(self.slos.slos, now)
        standings: list[SloStanding] = []
        for slo in self.slos.slos:
            report = judge(slo, counts[slo.name])
            standings.append(SloStanding(report, await self._forecast(slo, now), now))
        self.latest = tuple(standings)
        return self.latest

    async def _forecast(self, slo: Slo, now: float) -> Forecast:
        hours = await self._source.hours(slo, now)
        bad = [
            HourCounts((slo.indicator.error_ratio(each) or 0.0) * each.total, max(each.total, 0.0)) for each in hours
        ]
        return forecast(bad, budget=slo.budget, window=slo.window)

    async def purge(self) -> None:
        """Drop samples that no window reaches any more; once an hour is enough.

        Raises:
            DatabaseError: They are still there; there is only more to sum up.
        """
        await self.store.purge(self._clock.now().timestamp())
