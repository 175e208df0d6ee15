"""What stands on the overview, for one viewer: read from the sources, and drawn together in a line of figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator_console import _format
from orchestrator_console._access import Access
from orchestrator_console._charts import Bin, histogram
from orchestrator_console._readings import Reading, Source, read
from orchestrator_console.config import ConsoleConfig
from orchestrator_kernel.models import AuditEvent, HealthState, HealthStatus, Severity
from orchestrator_kernel.ports import Clock
from orchestrator_kernel.ports.operations import (
    Alert,
    Alerts,
    AlertState,
    AuditReader,
    CallSummary,
    DependencyPolicy,
    HealthReader,
    LiveCalls,
    Objective,
    ObjectiveReader,
    ObjectiveState,
    PolicyReader,
    RateRule,
)

__all__ = ["Board", "Latency", "Policies", "Sections", "Sources", "Tile", "call_tiles", "latency_of"]

_WORST: Final = (HealthState.UNHEALTHY, HealthState.DEGRADED, HealthState.HEALTHY)
_HEALTH_TONES: Final = {HealthState.HEALTHY: "good", HealthState.DEGRADED: "warn", HealthState.UNHEALTHY: "bad"}


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the line on top; `tone` is `good`, `warn`, `bad` or empty."""

    label: str
    value: str
    note: str = ""
    tone: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Latency:
    """How the last turns of the open calls spread."""

    turns: int
    median: float | None
    p95: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Policies:
    """Both halves of what keeps load in bounds."""

    dependencies: Reading[DependencyPolicy]
    rules: Reading[RateRule]


@dataclass(frozen=True, slots=True)
class Sections:
    """The parts that a viewer may see; None for the others."""

    alerts: Reading[Alert] | None
    health: Reading[HealthStatus] | None
    objectives: Reading[Objective] | None
    policies: Policies | None
    audit: Reading[AuditEvent] | None

    def named(self) -> dict[str, object]:
        """Those that are there, by name, in the order of the page."""
        names = ("alerts", "health", "objectives", "policies", "audit")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Sources:
    """Everything that is not of one viewer, asked once for all."""

    def __init__(
        self,
        config: ConsoleConfig,
        clock: Clock,
        *,
        alerts: Alerts | None,
        health: HealthReader | None,
        objectives: ObjectiveReader | None,
        policies: PolicyReader | None,
        audit: AuditReader | None,
    ) -> None:
        fresh, limit = config.refresh * 0.9, config.read_limit
        self.alerts = None if alerts is None else Source(alerts.alerts, clock, fresh=fresh, limit=limit)
        self.health = None if health is None else Source(health.health, clock, fresh=fresh, limit=limit)
        self.objectives = None if objectives is None else Source(objectives.objectives, clock, fresh=fresh, limit=limit)
        self.dependencies = None if policies is None else Source(policies.dependencies, clock, fresh=fresh, limit=limit)
        self.rules = None if policies is None else Source(policies.rules, clock, fresh=fresh, limit=limit)

        async def recent() -> Sequence[AuditEvent]:
            return [] if audit is None else await audit.recent(config.audit_events)

        self.audit = None if audit is None else Source(recent, clock, fresh=fresh, limit=limit)


class Board:
    """Reads for one viewer what they may see."""

    def __init__(self, config: ConsoleConfig, calls: LiveCalls | None, sources: Sources) -> None:
        self._config = config
        self._calls = calls
        self._sources = sources

    def shows_calls(self, access: Access) -> bool:
        """Whether there is a list of calls for them."""
        return self._calls is not None and access.sees_calls()

    async def open_calls(self, access: Access) -> Reading[CallSummary]:
        """The open calls that they may see, newest first."""
        calls = self._calls
        if calls is None or not access.sees_calls():
            return Reading()

        async def ask() -> Sequence[CallSummary]:
            return await calls.calls(tenants=access.sees_calls_of, open_only=True, limit=self._config.max_calls)

        return await read(ask, self._config.read_limit)

    async def sections(self, access: Access) -> Sections:
        """All parts but the calls."""
        sources, names = self._sources, self._config.permissions
        may = access.may_on_platform
        return Sections(
            alerts=await sources.alerts.get() if sources.alerts and may(names.alerts) else None,
            health=await sources.health.get() if sources.health and may(names.health) else None,
            objectives=await sources.objectives.get() if sources.objectives and may(names.objectives) else None,
            policies=await self._policies() if may(names.policies) else None,
            audit=await sources.audit.get() if sources.audit and may(names.audit) else None,
        )

    async def _policies(self) -> Policies | None:
        if self._sources.dependencies is None or self._sources.rules is None:
            return None
        return Policies(await self._sources.dependencies.get(), await self._sources.rules.get())

    def tiles(self, calls: Reading[CallSummary] | None, sections: Sections) -> tuple[Tile, ...]:
        """The line of figures on top."""
        found = [] if calls is None else call_tiles(calls, latency_of(calls, self._config), self._config)
        if sections.alerts is not None:
            found.append(_alert_tile(sections.alerts))
        if sections.health is not None:
            found.append(_health_tile(sections.health))
        if sections.objectives is not None:
            found.append(_budget_tile(sections.objectives))
        if sections.policies is not None:
            found.append(_circuit_tile(sections.policies.dependencies))
        return tuple(found)


def latency_of(calls: Reading[CallSummary], config: ConsoleConfig) -> Latency:
    """How the last turns of these calls spread."""
    values = sorted(value for call in calls.items for value in call.latencies_ms)
    return Latency(
        len(values), _quantile(values, 0.5), _quantile(values, 0.95), histogram(values, config.turn_target_ms)
    )


def _quantile(ordered: Sequence[float], part: float) -> float | None:
    """The smallest value that at least this part of all do not exceed."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else None


def call_tiles(calls: Reading[CallSummary], latency: Latency, config: ConsoleConfig) -> list[Tile]:
    """The figures of calls."""
    if calls.problem:
        return [Tile("Open calls", "?", "not available", "bad", "#calls")]
    more = "or more" if len(calls.items) == config.max_calls else ""
    slow = latency.p95 is not None and latency.p95 > config.turn_target_ms
    note = f"p95 {_format.milliseconds(latency.p95)} ms" if latency.turns else "no turns yet"
    median = _format.milliseconds(latency.median) + (" ms" if latency.turns else "")
    return [
        Tile("Open calls", _format.count(len(calls.items)), more, "", "#calls"),
        Tile("Turn latency", median, note, "warn" if slow else "", "#calls"),
    ]


def _alert_tile(alerts: Reading[Alert]) -> Tile:
    if alerts.problem:
        return Tile("Alerts", "?", "not available", "bad", "#alerts")
    firing = [each for each in alerts.items if each.state is AlertState.FIRING]
    untaken = [each for each in firing if not each.acknowledged_by and each.silenced_until is None]
    tone = "good"
    if firing:
        urgent = any(each.severity in {Severity.HIGH, Severity.CRITICAL} for each in untaken)
        tone = "bad" if urgent else "warn"
    note = f"{len(untaken)} unacknowledged" if firing else "nothing fires"
    return Tile("Alerts firing", _format.count(len(firing)), note, tone, "#alerts")


def _health_tile(health: Reading[HealthStatus]) -> Tile:
    if health.problem:
        return Tile("Health", "?", "not available", "bad", "#health")
    if not health.items:
        return Tile("Health", "\N{EN DASH}", "no checks", "", "#health")
    worst = next(state for state in _WORST if any(each.state is state for each in health.items))
    well = sum(each.state is HealthState.HEALTHY for each in health.items)
    return Tile("Health", worst.value, f"{well} of {len(health.items)} healthy", _HEALTH_TONES[worst], "#health")


def _budget_tile(objectives: Reading[Objective]) -> Tile:
    if objectives.problem:
        return Tile("Error budget", "?", "not available", "bad", "#objectives")
    known = [(each.budget_left, each.title) for each in objectives.items if each.budget_left is not None]
    if not known:
        few = any(each.state is ObjectiveState.TOO_FEW_EVENTS for each in objectives.items)
        return Tile("Error budget", "\N{EN DASH}", "too few events" if few else "no traffic", "", "#objectives")
    left, name = min(known)
    tone = "bad" if left <= 0 else "warn" if left < 0.25 else "good"
    return Tile("Lowest budget", f"{_format.share(left)} %", name, tone, "#objectives")


def _circuit_tile(dependencies: Reading[DependencyPolicy]) -> Tile:
    if dependencies.problem:
        return Tile("Circuits", "?", "not available", "bad", "#policies")
    circuits = [each for each in dependencies.items if each.circuit]
    not_closed = [each.name for each in circuits if each.circuit != "closed"]
    tone = "bad" if not_closed else "good"
    note = ", ".join(not_closed) if not_closed else "all closed"
    return Tile("Circuits open", f"{len(not_closed)} of {len(circuits)}", note, tone, "#policies")
