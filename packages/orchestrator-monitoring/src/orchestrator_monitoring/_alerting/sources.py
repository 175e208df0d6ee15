"""What can be wrong: the objectives, and the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from orchestrator_kernel.models import Severity
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring._alerting.rules import AlertRule, Found, GaugeCheck, gauge_values, rule_condition
from orchestrator_monitoring._alerting.states import Condition
from orchestrator_monitoring._alerting.store import AlertStore
from orchestrator_monitoring._slo.budgets import SloReport
from orchestrator_monitoring._slo.durations import duration_text
from orchestrator_monitoring._slo.indicators import Reading
from orchestrator_monitoring._slo.monitor import SloMonitor
from orchestrator_monitoring._slo.rules import BUDGET_ALERTS, alert_name
from orchestrator_monitoring._slo.samples import Sampler
from orchestrator_monitoring._slo.store import SloStore

__all__ = ["RuleWatch", "SloConditions", "slo_conditions"]

_BURNING: Final = {"page": Severity.CRITICAL, "ticket": Severity.MEDIUM}
_BUDGET: Final = {"SloBudgetNearlySpent": Severity.MEDIUM, "SloBudgetSpent": Severity.HIGH}


def slo_conditions(report: SloReport) -> list[Condition]:
    """The alerts of an objective that should fire, under the names that the generated Prometheus rules have too."""
    slo, found = report.slo, list[Condition]()
    for burn in report.burns:
        if burn.firing:
            summary = (
                f"{slo.name} burns its error budget at {burn.long.rate:.1f}x over {duration_text(burn.rule.long)} "
                f"and {burn.short.rate:.1f}x over {duration_text(burn.rule.short)}, above {burn.rule.factor:g}x"
            )
            found.append(
                Condition(
                    rule=alert_name(burn.rule),
                    severity=_BURNING[burn.rule.severity],
                    labels={"slo": slo.name},
                    summary=summary,
                    value=burn.long.rate,
                    description=slo.description,
                    runbook=slo.runbook,
                )
            )
    for name, share in BUDGET_ALERTS.items():
        if report.consumed >= share - 1e-9 and report.events >= slo.min_events:
            summary = f"{slo.name} has spent {report.consumed:.1%} of its error budget"
            found.append(
                Condition(
                    rule=name,
                    severity=_BUDGET[name],
                    labels={"slo": slo.name},
                    summary=summary,
                    value=report.consumed,
                    description=slo.description,
                    runbook=slo.runbook,
                )
            )
    return found


class SloConditions:
    """The objectives as a `ConditionSource`; each look is an evaluation of the monitor."""

    name = "objectives"

    def __init__(self, monitor: SloMonitor) -> None:
        self._monitor = monitor

    @property
    def rules(self) -> frozenset[str]:
        burning = {alert_name(rule) for slo in self._monitor.slos.slos for rule in slo.burn_rules}
        return frozenset(burning | BUDGET_ALERTS.keys())

    async def find(self, now: float) -> Found:  # noqa: ARG002 - the monitor has the same clock
        standings = await self._monitor.evaluate()
        found = [each for standing in standings for each in slo_conditions(standing.report)]
        return Found(tuple(found), self.rules)


class RuleWatch:
    """The alert rules: samples what they watch in this process, and judges what all processes have seen."""

    name = "rules"

    def __init__(
        self,
        rules: Sequence[AlertRule],
        samples: SloStore,
        alerts: AlertStore,
        read: Callable[[], Iterable[Reading]],
        *,
        clock: Clock,
        process: str,
        stale_after: float = 120.0,
    ) -> None:
        """Set up.

        Args:
            rules: What is watched.
            samples: Where counters are kept.
            alerts: Where values of gauges are kept.
            read: The samples of this process, and of no other.
            clock: Says what time it is.
            process: Unique to this run of this process.
            stale_after: Seconds after which what a process read of its gauges counts no more.
        """
        self._rules = tuple(rules)
        self._samples = samples
        self._alerts = alerts
        self._read = read
        self._clock = clock
        self._process = process
        self._stale_after = stale_after
        self._counted = [each for rule in rules if (each := rule.counted) is not None]
        self._sampler = Sampler(self._counted, read, process=process)

    @property
    def rules(self) -> frozenset[str]:
        return frozenset(rule.name for rule in self._rules)

    async def sample(self) -> None:
        """Take what was counted since the last time, and what the gauges show.

        Raises:
            DatabaseError: It could not be kept; counts wait for the next call, and nothing is lost.
        """
        now = self._clock.now().timestamp()
        self._sampler.look(now)
        waiting = list(self._sampler.waiting)
        await self._samples.add(waiting)
        del self._sampler.waiting[: len(waiting)]
        await self._alerts.put_values(self._process, gauge_values(self._rules, self._read()), now=now)

    async def find(self, now: float) -> Found:
        counts = await self._samples.counts(self._counted, now)
        values = await self._alerts.values(now - self._stale_after)
        found: list[Condition | None] = []
        for rule in self._rules:
            counted = rule.counted
            if counted is not None:
                found.append(rule_condition(rule, counts=counts[counted.name][counted.windows[0]]))
            elif isinstance(rule.check, GaugeCheck):
                by_process = values.get(rule.name, {})
                found += [rule_condition(rule, process=each, value=value) for each, value in by_process.items()]
        return Found(tuple(each for each in found if each is not None), self.rules)
