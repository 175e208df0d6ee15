"""A notice in words, the same for every receiver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.groups import Notice
from orchestrator_monitoring._alerting.states import AlertRecord

__all__ = ["SHOWN", "alert_line", "instant", "plain_text", "severity", "shortened", "title"]

SHOWN: Final = 20
"""How many alerts of a group are written out; the rest is counted."""
_ORDER: Final = list(Severity)


def severity(notice: Notice) -> Severity:
    """The worst of what fires, or of what ended."""
    found = [each.condition.severity for each in notice.firing or notice.resolved]
    return max(found, key=_ORDER.index, default=Severity.LOW)


def title(notice: Notice) -> str:
    """One line: what happens, and how often."""
    if notice.kind == "heartbeat":
        return "Alerting is alive"
    if notice.kind == "test":
        return "Test of a receiver: nothing is wrong"
    alerts = notice.firing or notice.resolved
    word = f"FIRING {len(notice.firing)}" if notice.firing else f"RESOLVED {len(notice.resolved)}"
    labels = " ".join(f"{name}={value}" for name, value in sorted(notice.labels.items()) if name != "alertname")
    names = sorted({each.condition.rule for each in alerts})
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return shortened(f"[{word}] {shown}" + (f" ({labels})" if labels else ""), 200)


def alert_line(record: AlertRecord) -> str:
    """One alert in one line."""
    summary = record.condition.summary or record.condition.rule
    labels = " ".join(f"{name}={value}" for name, value in sorted(record.condition.labels.items()))
    taken = (
        f", {record.acknowledged_by} takes care of it" if record.acknowledged_by and record.state == "firing" else ""
    )
    return f"{summary}{f' ({labels})' if labels else ''}, {_when(record)}{taken}"


def _when(record: AlertRecord) -> str:
    if record.state == "resolved" and record.resolved_at is not None:
        lasted = record.resolved_at - (record.fired_at or record.resolved_at)
        return f"over at {instant(record.resolved_at)} after {lasted / 60:.0f} min"
    return f"since {instant(record.fired_at or record.since)}"


def instant(seconds: float) -> str:
    """UTC, to the second: 2030-01-31 22:00:00Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def plain_text(notice: Notice) -> str:
    """The whole notice as text."""
    return "\n".join([title(notice), *_lines("Firing", notice.firing), *_lines("Resolved", notice.resolved)])


def _lines(heading: str, alerts: Sequence[AlertRecord]) -> Iterator[str]:
    if not alerts:
        return
    yield ""
    yield f"{heading}:"
    for each in alerts[:SHOWN]:
        yield f"- {alert_line(each)}"
        if each.condition.description:
            yield f"  {each.condition.description}"
        if each.condition.runbook:
            yield f"  Runbook: {each.condition.runbook}"
    if len(alerts) > SHOWN:
        yield f"- and {len(alerts) - SHOWN} more"


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"
