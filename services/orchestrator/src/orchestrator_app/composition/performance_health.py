"""What the health of the process says of its connections, its memory, and the second level of caches."""

from __future__ import annotations

from typing import Final

from orchestrator_app.composition.performance import CACHE_POOL, Performance
from orchestrator_monitoring.health import Check, Finding, Health, HealthState
from orchestrator_performance.memory_optimizer import MemoryState

__all__ = ["add_performance_checks"]

_STATES: Final = {
    MemoryState.HEALTHY: HealthState.HEALTHY,
    MemoryState.WARNING: HealthState.DEGRADED,
    MemoryState.CRITICAL: HealthState.DEGRADED,
}


def add_performance_checks(health: Health, performance: Performance) -> None:
    """Look at the pools, the memory, and the second level if there is one; calls go on without any of them being well."""
    health.add(
        Check(
            component="connections",
            probe=lambda: _connections(performance),
            kind="system",
            consequence="When none is left, callers wait.",
            fresh=0.5,
        ),
        Check(
            component="memory",
            probe=lambda: _memory(performance),
            kind="system",
            consequence="Caches are emptied; when that is not enough, the system ends the process.",
        ),
    )
    if performance.level is not None:
        health.add(
            Check(
                component="cache",
                probe=lambda: _cache(performance),
                kind="datastore",
                consequence="Each process keeps sentences by itself.",
            )
        )


async def _connections(performance: Performance) -> Finding:
    held = performance.pools.leaks()
    if held:
        return Finding(
            state=HealthState.DEGRADED, reason="held_for_long", observed=float(len(held)), unit="connections"
        )
    return Finding(observed=0.0, unit="connections held for long")


async def _memory(performance: Performance) -> Finding:
    report = performance.memory.report()
    reason = "leak_suspected" if report.leak is not None else "" if report.state is MemoryState.HEALTHY else "high"
    return Finding(state=_STATES[report.state], reason=reason, observed=float(report.sample.rss), unit="bytes")


async def _cache(performance: Performance) -> None:
    await performance.pools[CACHE_POOL].check()
