"""What this service needs of others, and how it copes when they fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator_monitoring._dashboards.boards._shapes import bars, lines, number, stack
from orchestrator_monitoring._dashboards.expressions import by, quantile, total
from orchestrator_monitoring._dashboards.model import Dashboard, Limit, Panel, Query, Row, Variable

__all__ = ["resilience"]

_R: Final = "orchestrator_resilience"
_DEPENDENCY: Final = 'dependency=~"$dependency"'
_D: Final = f"{{{_DEPENDENCY}}}"
_NAME: Final = "{{dependency}}"


def resilience() -> Dashboard:
    """What this service needs of others, and how it copes when they fail."""
    return Dashboard(
        uid="orchestrator-resilience",
        title="Resilience",
        description="What this service needs of others, and how it copes when they fail.",
        variables=(Variable("dependency", f"{_R}_calls_total", "dependency", "Dependency"),),
        rows=(
            Row("Dependencies", tuple(_dependencies())),
            Row("Load", tuple(_load())),
            Row("Retries", tuple(_retries())),
        ),
    )


def _dependencies() -> Iterator[Panel]:
    not_closed = f'{_R}_breaker_state{{{_DEPENDENCY},state!="closed"}}'
    yield number(
        "Circuits that are not closed",
        f"sum(max by (dependency) ({not_closed})) or vector(0)",
        limits=(Limit(1.0, "red"),),
    )
    yield lines(
        "State of circuits",
        f"max by (dependency, state) ({_R}_breaker_state{_D}) == 1",
        "{{dependency}}: {{state}}",
        unit="short",
        width=18,
    )
    outcomes = by(f"{_R}_calls_total{_D}", "dependency", "outcome")
    yield stack("Calls, by outcome", outcomes, "{{dependency}}: {{outcome}}")
    yield lines("Refused by circuits", by(f"{_R}_breaker_refusals_total{_D}", "dependency"), _NAME)
    yield bars("Circuits opened", total(f"{_R}_breaker_openings_total{_D}", "dependency"), _NAME)


def _load() -> Iterator[Panel]:
    running, limit = f"{_R}_bulkhead_running_calls{_D}", f"{_R}_bulkhead_limit_calls{_D}"
    yield lines(
        "Places taken",
        f"sum by (dependency) ({running}) / sum by (dependency) ({limit})",
        _NAME,
        unit="percentunit",
        limits=(Limit(0.8, "yellow"), Limit(0.95, "red")),
    )
    waiting = f"sum by (dependency) ({_R}_bulkhead_waiting_calls{_D})"
    yield lines("Waiting for a place", waiting, _NAME, unit="short")
    yield lines("Shed for want of a place", by(f"{_R}_bulkhead_sheds_total{_D}", "dependency"), _NAME)
    yield lines("Items in queues", f"sum by (dependency) ({_R}_queue_items)", _NAME, unit="short")
    yield lines("Lost by queues", by(f"{_R}_queue_drops_total", "dependency"), _NAME)
    throttled = f"max by (dependency) ({_R}_throttle_refusal_ratio)"
    yield lines("Refusals by our own throttle", throttled, _NAME, unit="percentunit")


def _retries() -> Iterator[Panel]:
    yield Panel(
        title="Retries and hedges",
        unit="cps",
        queries=(
            Query(by(f"{_R}_budget_retries_total"), "made"),
            Query(by(f"{_R}_budget_refusals_total"), "not made for want of budget"),
        ),
    )
    yield lines("Retries that could be made", f"sum({_R}_budget_balance_retries)", "budget", unit="short")
    pause = quantile(0.95, f"{_R}_retry_pause_seconds", "dependency")
    yield lines("Pause before a retry, p95", pause, _NAME, unit="s")
    decisions = by(f"{_R}_decisions_total{_D}", "policy", "decision")
    yield lines("Decisions of policies", decisions, "{{policy}}: {{decision}}", width=24)
