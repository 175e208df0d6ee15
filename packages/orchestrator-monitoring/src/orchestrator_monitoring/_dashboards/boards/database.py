"""Connections to databases, how long they are waited for, and whether the databases answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator_monitoring._dashboards.boards._shapes import lines, number, stack
from orchestrator_monitoring._dashboards.expressions import by, quantile
from orchestrator_monitoring._dashboards.model import Dashboard, Limit, Panel, Row

__all__ = ["database"]

_POOL: Final = "orchestrator_pool"
_DATABASES: Final = '{pool=~"database.*"}'
_HEALTH: Final = 'component=~".*(database|journal).*"'
_NAME: Final = "{{pool}}"


def database() -> Dashboard:
    """Connections to databases, how long they are waited for, and whether the databases answer."""
    return Dashboard(
        uid="orchestrator-database",
        title="Database",
        description="Connections to databases, how long they are waited for, and whether the databases answer.",
        rows=(
            Row("Now", tuple(_standing())),
            Row("Connections", tuple(_connections())),
            Row("Checks", tuple(_checks())),
        ),
    )


def _used() -> str:
    taken = f'{_POOL}_connections{{pool=~"database.*",state="in_use"}}'
    return f"sum by (pool) ({taken}) / sum by (pool) ({_POOL}_size{_DATABASES})"


def _standing() -> Iterator[Panel]:
    yield number(
        "Fullest pool",
        f"max({_used()})",
        unit="percentunit",
        tells="At 100 % callers wait in line.",
        limits=(Limit(0.8, "yellow"), Limit(1.0, "red")),
    )
    waiting = f"sum({_POOL}_waiting{_DATABASES})"
    yield number("Callers in line", waiting, limits=(Limit(1.0, "yellow"), Limit(10.0, "red")))
    leaking = f"sum({_POOL}_leaking{_DATABASES})"
    yield number(
        "Held for too long", leaking, tells="Connections that somebody does not give back.", limits=(Limit(1.0, "red"),)
    )
    unhealthy = f'sum(max by (component) (orchestrator_health_state{{{_HEALTH},state!="healthy"}})) or vector(0)'
    yield number("Databases that are not healthy", unhealthy, limits=(Limit(1.0, "red"),))


def _connections() -> Iterator[Panel]:
    connections = f"sum by (pool, state) ({_POOL}_connections{_DATABASES})"
    yield stack("Connections, by state", connections, "{{pool}}: {{state}}", unit="short")
    yield lines("Places taken", _used(), _NAME, unit="percentunit", limits=(Limit(0.8, "yellow"), Limit(1.0, "red")))
    wait = quantile(0.95, f"{_POOL}_wait_seconds", "pool", where=_DATABASES)
    yield lines("Wait for a connection, p95", wait, _NAME, unit="s", limits=(Limit(0.1, "yellow"),))
    yield lines("Callers that got none in time", by(f"{_POOL}_timeouts_total{_DATABASES}", "pool"), _NAME)
    yield lines("Connections that could not be made", by(f"{_POOL}_failures_total{_DATABASES}", "pool"), _NAME)


def _checks() -> Iterator[Panel]:
    found = by(f"orchestrator_health_checks_total{{{_HEALTH}}}", "component", "state")
    yield stack("Checks, by what they found", found, "{{component}}: {{state}}", width=12)
    seconds = quantile(0.95, "orchestrator_health_check_seconds", "component", where=f"{{{_HEALTH}}}")
    yield lines("Duration of checks, p95", seconds, "{{component}}", unit="s", width=12)
