"""The life of an alert: pending for as long as its rule asks, firing, resolved. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from orchestrator_kernel.models import Severity

__all__ = ["RESOLVED_SHOWN", "AlertRecord", "AlertState", "Condition", "advance", "fingerprint"]

AlertState: TypeAlias = Literal["pending", "firing", "resolved"]

RESOLVED_SHOWN: Final = 3600.0
"""How long a resolved alert is still listed, seconds."""


def _frozen(values: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What an evaluation found: one thing that is wrong.

    Attributes:
        rule: The rule that says so.
        severity: How bad it is.
        labels: What it is about; together with the rule they tell it from others.
        summary: One line for people.
        description: More, and what to do; may be empty.
        runbook: A URL, or empty.
        value: The figure that is too high or too low.
        hold: Seconds for which it must last before anybody is told.
    """

    rule: str
    severity: Severity
    labels: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    summary: str = ""
    description: str = ""
    runbook: str = ""
    value: float | None = None
    hold: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", _frozen(self.labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """An alert as it is kept.

    Attributes:
        fingerprint: The same in every process and after every restart.
        condition: As last found.
        state: Where it stands.
        since: Unix seconds at which the condition was first found.
        fired_at: When it began to fire; None while pending.
        resolved_at: When it ended.
        acknowledged_by: Who takes care of it; empty if nobody does.
        acknowledged_at: Since when.
    """

    fingerprint: str
    condition: Condition
    state: AlertState
    since: float
    fired_at: float | None = None
    resolved_at: float | None = None
    acknowledged_by: str = ""
    acknowledged_at: float | None = None

    @property
    def labels(self) -> dict[str, str]:
        """Its labels as matchers see them, with `alertname` and `severity`."""
        return {
            **self.condition.labels,
            "alertname": self.condition.rule,
            "severity": self.condition.severity.value,
        }


def fingerprint(rule: str, labels: Mapping[str, str]) -> str:
    """Tells an alert from all others, by its rule and labels: 32 hexadecimal digits.

    >>> fingerprint("slow", {"a": "1", "b": "2"}) == fingerprint("slow", {"b": "2", "a": "1"})
    True
    """
    return _digest((rule, *(each for pair in sorted(labels.items()) for each in pair)))


@lru_cache(maxsize=20_000)  # the same alerts are found again at each evaluation
def _digest(texts: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()[:32]


def advance(
    records: Mapping[str, AlertRecord], conditions: Iterable[Condition], *, judged: frozenset[str] | None, now: float
) -> dict[str, AlertRecord]:
    """Every alert after an evaluation.

    Args:
        records: The alerts before, by fingerprint.
        conditions: What is wrong now.
        judged: The rules that could be judged; alerts of the others stay as they are. None: all.
        now: Unix seconds.
    """
    found = {fingerprint(each.rule, each.labels): each for each in conditions}
    after: dict[str, AlertRecord] = {}
    for key, condition in found.items():
        after[key] = _with(records.get(key), key, condition, now)
    for key, record in records.items():
        if key in found:
            continue
        if judged is not None and record.condition.rule not in judged:
            after[key] = record
        elif record.state == "firing":
            after[key] = replace(record, state="resolved", resolved_at=now)
        elif record.state == "resolved" and now - (record.resolved_at or now) < RESOLVED_SHOWN:
            after[key] = record
    return after


def _with(record: AlertRecord | None, key: str, condition: Condition, now: float) -> AlertRecord:
    if record is None or record.state == "resolved":
        # A new incident: who took care of the last one has not seen this one.
        record = AlertRecord(fingerprint=key, condition=condition, state="pending", since=now)
    if record.state == "pending" and now - record.since >= condition.hold:
        return replace(record, condition=condition, state="firing", fired_at=now)
    return replace(record, condition=condition)
