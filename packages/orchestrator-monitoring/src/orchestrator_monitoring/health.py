"""Whether a process lives, is ready, has started, and how all it depends on is doing.

What the user types:

    health = Health(clock=clock)
    health.add(Check(component="journal", probe=journal_answers, need=Need.REQUIRED, kind="datastore"))
    health.add(Check(component="voice", probe=voice_answers, consequence="Callers hear the embedded voice."))
    report = await health.ready()
    report.http_status, report.document()

**Live** asks nobody else: a process whose database is down must not be killed for it. Only its own loops count, by their heartbeats.
**Ready** asks only for what the process cannot work without. **Started** is ready for the first time, and stays so.
**Degraded** has consequences: each check says which, observers are told of every change, and work still comes.

Checks run concurrently, each within its limit; what was found is believed for a while, and all who ask meanwhile share one look. An answer shows codes, never the text of an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.lifecycle import done_before
from orchestrator_kernel.models import HealthState, HealthStatus
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_monitoring._health.checks import Change, Check, Finding, Need, Probe, worst
from orchestrator_monitoring._health.report import MEDIA_TYPE, ComponentReport, HealthReport
from orchestrator_monitoring._health.watch import Watch
from orchestrator_monitoring.metrics import AtMost, Counter, Gauge, Histogram, Metric, Metrics, OneOf

__all__ = [
    "HEALTH_METRICS",
    "MEDIA_TYPE",
    "Change",
    "Check",
    "ComponentReport",
    "Finding",
    "Health",
    "HealthReport",
    "HealthState",
    "HealthStatus",
    "Heartbeat",
    "Need",
    "Probe",
]

logger = logging.getLogger(__name__)

_USABLE: Final = frozenset({HealthState.HEALTHY, HealthState.DEGRADED})
_COMPONENT: Final = AtMost(50)
_STATE: Final = OneOf(*HealthState)
CHECKS: Final = Counter(
    "orchestrator_health_checks_total",
    "Looks at components, by what was found.",
    labels={"component": _COMPONENT, "state": _STATE},
)
STATES: Final = Gauge(
    "orchestrator_health_state",
    "1 for the present state of a component, 0 for the others.",
    labels={"component": _COMPONENT, "state": _STATE},
    across="max",
)
CHECK_SECONDS: Final = Histogram(
    "orchestrator_health_check_seconds",
    "How long looks at components took.",
    unit="seconds",
    labels={"component": _COMPONENT},
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0),
)
HEALTH_METRICS: Final[tuple[Metric, ...]] = (CHECKS, STATES, CHECK_SECONDS)
"""What `Health` counts."""


@dataclass(slots=True)
class Heartbeat:
    """A loop of the process that is to be heard of.

    Attributes:
        within: Seconds; when it was not heard of for longer, the process is not live.
    """

    name: str
    within: float
    clock: Clock
    heard: float

    def beat(self) -> None:
        """It goes on."""
        self.heard = self.clock.monotonic()

    @property
    def silent(self) -> bool:
        """Whether it was not heard of for too long."""
        return self.clock.monotonic() - self.heard > self.within


class Health:
    """All checks of a process.

    Args:
        clock: The times come from it; limits are kept by the event loop.
        metrics: Made of declarations that hold `HEALTH_METRICS`; None counts nothing.
        draining: Whether the process is ending and takes no new work.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        draining: Callable[[], bool] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._metrics = metrics
        self._draining = draining
        self._watches: dict[str, Watch] = {}
        self._heartbeats: dict[str, Heartbeat] = {}
        self._observers: list[Callable[[Change], None]] = []
        self._counted: dict[str, HealthStatus] = {}
        self._started = False

    # -- registering

    def add(self, *checks: Check) -> None:
        """Look at these, too.

        Raises:
            ConfigurationError: A component has a check already.
        """
        for check in checks:
            if check.component in self._watches or check.component == "process":
                raise ConfigurationError(
                    f"component {check.component} has a health check already", details={"component": check.component}
                )
            self._watches[check.component] = Watch(check, self._clock, self._changed)

    def heartbeat(self, name: str, *, within: float) -> Heartbeat:
        """A loop that promises to beat; `live` fails when it was not heard of for `within` seconds.

        Raises:
            ConfigurationError: The name is taken, or `within` is not positive.
        """
        if name in self._heartbeats or not within > 0:
            raise ConfigurationError(f"heartbeat {name} is there already, or its time is not positive")
        beating = self._heartbeats[name] = Heartbeat(name, within, self._clock, self._clock.monotonic())
        return beating

    def on_change(self, observer: Callable[[Change], None]) -> None:
        """Tell `observer` whenever a component's state changes; this is where consequences are drawn."""
        self._observers.append(observer)

    @property
    def components(self) -> tuple[str, ...]:
        """What is looked at."""
        return tuple(self._watches)

    # -- asking

    def live(self) -> HealthReport:
        """Whether this process works at all; asks nothing of anybody else."""
        silent = [each.name for each in self._heartbeats.values() if each.silent]
        return self._alone(dict.fromkeys(silent, "silent"))

    async def ready(self) -> HealthReport:
        """Whether work may be sent here: only what the process cannot work without is asked."""
        if self._draining is not None and self._draining():
            return self._alone({"process": "draining"})
        return await self._report(each for each in self._watches.values() if each.check.need is Need.REQUIRED)

    async def started(self) -> HealthReport:
        """Whether it was ready once; from then on it asks nobody."""
        if self._started:
            return self._alone({})
        return await self.ready()

    async def detailed(self, *components: str, history: bool = True, fresh: bool = False) -> HealthReport:
        """Everything about these components, or about all; for people who run the process, so ask who they are.

        Args:
            components: By name; an unknown one is left out.
            history: With what was found before.
            fresh: Look now, however young what is known may be.
        """
        wanted = [self._watches[name] for name in components or self._watches if name in self._watches]
        return await self._report(wanted, history=history, fresh=fresh)

    def known(self) -> HealthReport:
        """What was found last, without looking; components that nobody has looked at are left out."""
        seen = {name: each for name, each in self._watches.items() if each.last is not None}
        return _judged({name: _component(each, history=False) for name, each in seen.items()})

    async def watch(self, stopping: asyncio.Event, *, every: float = 10.0, silent_after: float = 120.0) -> None:
        """Look at everything again and again, so that history, metrics and observers do not depend on who asks.

        Each look is bounded by the limits of its checks, so a loop that is not heard of for long hangs for good: then `live` fails.

        Args:
            stopping: Ends it; a look that has begun ends by itself, so that no connection is left in the middle.
            every: Seconds between looks.
            silent_after: Seconds between looks from which on it counts as hanging.

        Raises:
            ConfigurationError: It is watched already.
        """
        beating = self.heartbeat("health", within=silent_after)
        while not stopping.is_set():
            await self.detailed(history=False)
            beating.beat()
            await done_before(stopping, self._clock.sleep(every))
        del self._heartbeats["health"]

    def close(self) -> None:
        """Look no more."""
        for each in self._watches.values():
            each.close()

    async def _report(self, watches: Iterable[Watch], *, history: bool = False, fresh: bool = False) -> HealthReport:
        wanted = list(watches)
        await asyncio.gather(*(each.status(fresh=fresh) for each in wanted))
        for each in wanted:
            self._count(each)
        required = [each.state for each in self._watches.values() if each.check.need is Need.REQUIRED]
        self._started |= all(state in _USABLE for state in required)
        return _judged({each.check.component: _component(each, history=history) for each in wanted})

    def _alone(self, failing: dict[str, str]) -> HealthReport:
        now = self._clock.now()
        components = {
            name: ComponentReport(
                status=HealthStatus(
                    component=name, state=HealthState.UNHEALTHY, checked_at=now, duration=0.0, reason=reason
                )
            )
            for name, reason in failing.items()
        }
        return _judged(components)

    # -- telling

    def _count(self, watch: Watch) -> None:
        status, name = watch.last, watch.check.component
        if self._metrics is None or status is None or self._counted.get(name) is status:
            return
        self._counted[name] = status
        self._metrics.counter(CHECKS).labels(name, status.state).inc()
        self._metrics.histogram(CHECK_SECONDS).labels(name).observe(max(0.0, status.duration))
        for state in HealthState:
            self._metrics.gauge(STATES).labels(name, state).set(float(state is status.state))

    def _changed(self, change: Change) -> None:
        level = logging.INFO if change.after is HealthState.HEALTHY else logging.WARNING
        told = {"component": change.component, "state": change.after.value, "reason": change.reason}
        logger.log(level, "health changed", extra=told)
        for observer in self._observers:
            try:
                observer(change)
            except Exception:
                # One who draws a consequence wrongly must not make the component look sick.
                logger.exception("an observer of health failed", extra={"component": change.component})


def _component(watch: Watch, *, history: bool) -> ComponentReport:
    status = watch.last
    assert status is not None, "it was looked at before"  # noqa: S101
    check = watch.check
    return ComponentReport(
        status=status,
        need=check.need,
        kind=check.kind,
        consequence=check.consequence,
        since=watch.changes[-1].at.isoformat() if watch.changes else None,
        observed=watch.finding.observed,
        unit=watch.finding.unit,
        history=tuple(watch.history) if history else (),
        changes=tuple(watch.changes) if history else (),
    )


def _judged(components: dict[str, ComponentReport]) -> HealthReport:
    """Unhealthy without what is required; degraded when anything else is not as it should be."""
    states = [
        HealthState.DEGRADED
        if each.need is Need.HELPFUL and each.status.state is HealthState.UNHEALTHY
        else each.status.state
        for each in components.values()
    ]
    return HealthReport(state=worst(*states), components=components)
