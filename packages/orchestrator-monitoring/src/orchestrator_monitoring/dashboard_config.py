"""Dashboards for Grafana as typed values: every query is parsed, and names only metrics that somebody declares.

What the user types:

    requests = Panel(title="Requests", queries=(Query(by("orchestrator_http_requests_total", "status")),))
    board = Dashboard(uid="desk", title="Desk", rows=(Row("Now", (requests,)),))
    board.check(Catalogue(HTTP_METRICS))
    export_dashboards([board, calls()], Path("grafana"))

`load_dashboard` reads the same from TOML and refuses what cannot be shown by file, line and reason.
"""

from __future__ import annotations

from orchestrator_monitoring._dashboards.boards.calls import calls
from orchestrator_monitoring._dashboards.boards.database import database
from orchestrator_monitoring._dashboards.boards.resilience import resilience
from orchestrator_monitoring._dashboards.boards.runtime import runtime
from orchestrator_monitoring._dashboards.boards.security import security
from orchestrator_monitoring._dashboards.boards.slos import slos
from orchestrator_monitoring._dashboards.expressions import by, quantile, rate, share, total
from orchestrator_monitoring._dashboards.files import export_dashboards, load_dashboard
from orchestrator_monitoring._dashboards.model import (
    Dashboard,
    DashboardRefused,
    Limit,
    Panel,
    PanelKind,
    Query,
    Row,
    Variable,
)
from orchestrator_monitoring._dashboards.promql import PromqlRefused
from orchestrator_monitoring._dashboards.queries import check_query, metrics_of

__all__ = [
    "Dashboard",
    "DashboardRefused",
    "Limit",
    "Panel",
    "PanelKind",
    "PromqlRefused",
    "Query",
    "Row",
    "Variable",
    "by",
    "calls",
    "check_query",
    "database",
    "export_dashboards",
    "load_dashboard",
    "metrics_of",
    "quantile",
    "rate",
    "resilience",
    "runtime",
    "security",
    "share",
    "slos",
    "standard_dashboards",
    "total",
]


def standard_dashboards() -> tuple[Dashboard, ...]:
    """All that come with the package: calls, objectives, resilience, security, database, runtime."""
    return calls(), slos(), resilience(), security(), database(), runtime()
