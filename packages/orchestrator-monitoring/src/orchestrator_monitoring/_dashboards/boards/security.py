"""Who was turned away, and what was kept out of sight."""

from __future__ import annotations

from typing import Final

from orchestrator_monitoring._dashboards.boards._shapes import bars, lines, stack
from orchestrator_monitoring._dashboards.expressions import by, total
from orchestrator_monitoring._dashboards.model import Dashboard, Panel, Query, Row

__all__ = ["security"]

_HTTP: Final = "orchestrator_http_requests_total"
_REFUSALS: Final = {"401": "not known", "403": "not allowed", "413": "too large", "422": "not valid", "429": "too many"}


def security() -> Dashboard:
    """Who was turned away, and what was kept out of sight."""
    refusals = f'{_HTTP}{{status=~"{"|".join(_REFUSALS)}"}}'
    refused = Panel(
        title="Requests refused",
        unit="reqps",
        queries=tuple(Query(by(f'{_HTTP}{{status="{status}"}}'), words) for status, words in _REFUSALS.items()),
        stacked=True,
        width=12,
    )
    routes = f"topk(10, {total(refusals, 'route', 'status')})"
    webhooks = lines(
        "Webhooks whose sender was not proved",
        by("orchestrator_webhooks_refused_total", "door"),
        "{{door}}",
        tells="A secret that was changed on one side only shows here first.",
        width=12,
    )
    sockets = by('orchestrator_websockets_total{outcome="refused"}', "route")
    redacted = by("orchestrator_pii_redactions_total", "kind")
    errors = by("orchestrator_errors_total", "component", "level")
    return Dashboard(
        uid="orchestrator-security",
        title="Security",
        description="Who was turned away, and what was kept out of sight.",
        rows=(
            Row(
                "Turned away",
                (
                    refused,
                    bars("Refused, by route", routes, "{{route}} {{status}}", width=12),
                    webhooks,
                    lines("WebSockets refused", sockets, "{{route}}", width=12),
                ),
            ),
            Row(
                "Kept out of sight",
                (
                    stack("Personal data and secrets redacted", redacted, "{{kind}}", width=12),
                    lines("Errors that were logged", errors, "{{component}} {{level}}", width=12),
                ),
            ),
        ),
    )
