"""What is promised, what is left of the error budgets, and how fast they are spent."""

from __future__ import annotations

from typing import Final

from orchestrator_monitoring._dashboards.boards._shapes import lines
from orchestrator_monitoring._dashboards.model import Dashboard, Limit, Panel, Query, Row, Variable

__all__ = ["slos"]

_SLO: Final = '{slo=~"$slo"}'
_LEFT: Final = f"1 - max by (slo) (orchestrator_slo_error_budget_consumed_ratio{_SLO})"


def slos() -> Dashboard:
    """What is promised, what is left of the error budgets, and how fast they are spent."""
    return Dashboard(
        uid="orchestrator-slos",
        title="Service level objectives",
        description="What is promised, what is left of the error budgets, and how fast they are spent.",
        variables=(Variable("slo", "orchestrator_slo_objective_ratio", "slo", "Objective"),),
        since="30d",
        refresh="1m",
        rows=(Row("Error budgets", _budgets()), Row("Burn rates", _rates())),
    )


def _budgets() -> tuple[Panel, ...]:
    left = Panel(
        title="Left of the error budget",
        kind="bargauge",
        unit="percentunit",
        minimum=None,
        maximum=1.0,
        queries=(Query(_LEFT, "{{slo}}"),),
        description="Over the objective's own window; below zero the promise is broken.",
        width=12,
    )
    promised = Panel(
        title="Objectives",
        kind="table",
        queries=(
            Query(f"max by (slo) (orchestrator_slo_objective_ratio{_SLO})"),
            Query(_LEFT),
            Query(f"max by (slo) (orchestrator_slo_window_events{_SLO})"),
        ),
        description="What is promised, what is left of the budget, and of how many events that was found.",
        width=12,
    )
    over_time = Panel(
        title="Left of the error budget over time",
        unit="percentunit",
        minimum=None,
        maximum=1.0,
        queries=(Query(_LEFT, "{{slo}}"),),
        width=24,
    )
    return left, promised, over_time


def _rates() -> tuple[Panel, ...]:
    burn = lines(
        "Burn rate, by window",
        f"max by (slo, window) (orchestrator_slo_burn_rate_ratio{_SLO})",
        "{{slo}}, {{window}}",
        unit="short",
        tells="1 spends the budget exactly over the objective's window; 14.4 spends a thirty-day budget in two days.",
        limits=(Limit(1.0, "yellow"), Limit(6.0, "orange"), Limit(14.4, "red")),
        width=12,
    )
    bad = lines(
        "Bad share, by window",
        f"max by (slo, window) (orchestrator_slo_error_ratio{_SLO})",
        "{{slo}}, {{window}}",
        unit="percentunit",
        width=12,
    )
    return burn, bad
