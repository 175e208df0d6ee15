"""PagerDuty's Events API v2: one incident per group, triggered, acknowledged and resolved under one `dedup_key`.

The check resolves a key that nothing was ever triggered under: PagerDuty judges the routing key and drops the event, and no incident is opened.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.groups import Notice
from orchestrator_monitoring._receivers.http import Answer, post, refuse
from orchestrator_monitoring._receivers.texts import SHOWN, alert_line, severity, shortened, title

if TYPE_CHECKING:
    import httpx

__all__ = ["EVENTS_URL", "PagerDutyReceiver"]

EVENTS_URL: Final = "https://events.pagerduty.com/v2/enqueue"
_SEVERITIES: Final = {
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "critical",
}
_HEADERS: Final = {"content-type": "application/json"}


class PagerDutyReceiver:
    """Opens and closes incidents of one service."""

    kind = "pagerduty"
    heartbeats = False

    def __init__(
        self,
        name: str,
        routing_key: str,
        http: httpx.AsyncClient,
        *,
        source: str = "orchestrator",
        url: str = EVENTS_URL,
    ) -> None:
        """Set up.

        Args:
            name: As routes name it.
            routing_key: The integration key, 32 characters; a secret.
            http: Used for each event; the caller closes it.
            source: Which installation tells, as incidents show it.
            url: Where events go; the European region has another.
        """
        self.name = name
        self._key = routing_key
        self._http = http
        self._source = source
        self._url = url

    async def send(self, notice: Notice) -> None:
        await self._enqueue(_event(notice, self._source))

    async def check(self) -> None:
        await self._enqueue({"event_action": "resolve", "dedup_key": "orchestrator-check"})

    async def _enqueue(self, event: dict[str, object]) -> None:
        body = json.dumps({"routing_key": self._key, **event}).encode()
        answer = await post(self._http, self.name, self._url, body, _HEADERS)
        if answer[0] != 202:
            raise refuse(self.name, answer, _reason(answer))


def _reason(answer: Answer) -> str:
    """PagerDuty's own sentence is left out: it may repeat the routing key."""
    return "invalid event" if answer[0] == 400 else ""


def _event(notice: Notice, source: str) -> dict[str, object]:
    key = shortened(notice.group or notice.id, 255)
    if notice.kind == "alerts" and not notice.firing:
        # Something muted may still fire: then the incident stays open.
        return {"event_action": "resolve" if notice.over else "acknowledge", "dedup_key": key}
    if notice.firing and all(each.acknowledged_by for each in notice.firing):
        return {"event_action": "acknowledge", "dedup_key": key}
    first = min((each.fired_at or notice.at for each in notice.firing), default=notice.at)
    alerts = notice.firing
    links = list(dict.fromkeys(each.condition.runbook for each in alerts if each.condition.runbook))
    payload: dict[str, object] = {
        "summary": shortened(title(notice), 1024),
        "source": source,
        "severity": _SEVERITIES[severity(notice)],
        "timestamp": _iso(first),
        "group": shortened(" ".join(notice.labels.values()) or notice.kind, 255),
        "class": alerts[0].condition.rule if alerts else notice.kind,
        "custom_details": {
            "firing": [shortened(alert_line(each), 1000) for each in alerts[:SHOWN]],
            "firing_count": len(alerts),
            "resolved_count": len(notice.resolved),
        },
    }
    event: dict[str, object] = {
        "event_action": "trigger",
        "dedup_key": key,
        "client": "orchestrator",
        "payload": payload,
    }
    if links:
        event["links"] = [{"href": link, "text": "Runbook"} for link in links[:10]]
    return event


def _iso(seconds: float) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 - next to its one use

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
