"""Alertmanager's API v2: every alert by itself, so that its own grouping, silences and routes apply. The heartbeat is the alert `Watchdog`, which always fires.

Alertmanager ends an alert that it does not hear of again, so each carries an end that lies three repetitions ahead.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orchestrator_monitoring._alerting.groups import Notice
from orchestrator_monitoring._alerting.states import AlertRecord
from orchestrator_monitoring._receivers.http import post, refuse

if TYPE_CHECKING:
    import httpx

__all__ = ["AlertmanagerReceiver"]

_HEADERS: Final = {"content-type": "application/json"}
_not_in_label = re.compile(r"[^a-zA-Z0-9_]")


class AlertmanagerReceiver:
    """Hands alerts to an Alertmanager."""

    kind = "alertmanager"
    heartbeats = True

    def __init__(self, name: str, url: str, http: httpx.AsyncClient, *, ends_after: float = 12 * 3600.0) -> None:
        """Set up.

        Args:
            name: As routes name it.
            url: The server's, without a path of the API.
            http: Used for each request; the caller closes it.
            ends_after: Seconds until an alert ends that is not told again; more than the repeat interval of its route.
        """
        self.name = name
        self._url = url.rstrip("/")
        self._http = http
        self._ends_after = ends_after

    async def send(self, notice: Notice) -> None:
        alerts = [self._alert(each, notice.at) for each in (*notice.firing, *notice.resolved)]
        if notice.kind != "alerts":
            name = "Watchdog" if notice.kind == "heartbeat" else "OrchestratorTest"
            ends = notice.at + (600 if notice.kind == "heartbeat" else 60)
            alerts = [_document({"alertname": name, "severity": "low"}, {"summary": name}, notice.at, ends)]
        body = json.dumps(alerts).encode()
        answer = await post(self._http, self.name, f"{self._url}/api/v2/alerts", body, _HEADERS)
        if answer[0] != 200:
            raise refuse(self.name, answer)

    async def check(self) -> None:
        answer = await post(self._http, self.name, f"{self._url}/-/healthy", b"", {}, method="GET")
        if answer[0] != 200:
            raise refuse(self.name, answer)

    def _alert(self, record: AlertRecord, at: float) -> dict[str, object]:
        ends = record.resolved_at if record.state == "resolved" and record.resolved_at else at + self._ends_after
        notes = {
            "summary": record.condition.summary,
            "description": record.condition.description,
            "runbook_url": record.condition.runbook,
        }
        found = _document(
            record.labels, {key: text for key, text in notes.items() if text}, record.fired_at or record.since, ends
        )
        if record.condition.runbook.startswith(("http://", "https://")):
            found["generatorURL"] = record.condition.runbook
        return found


def _document(labels: dict[str, str], notes: dict[str, str], starts: float, ends: float) -> dict[str, object]:
    named = {_not_in_label.sub("_", name): value for name, value in labels.items() if value}
    return {"labels": named, "annotations": notes, "startsAt": _iso(starts), "endsAt": _iso(max(ends, starts))}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
