"""Alerts, groups, silences and notices as JSON, for stores and for who reads notices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.groups import GroupMemory, Notice
from orchestrator_monitoring._alerting.routing import Silence
from orchestrator_monitoring._alerting.states import AlertRecord, Condition
from orchestrator_monitoring._slo.selectors import Matcher

__all__ = [
    "dump_group",
    "dump_notice",
    "dump_record",
    "dump_silence",
    "load_group",
    "load_notice",
    "load_record",
    "load_silence",
    "record_document",
]

_Document: TypeAlias = dict[str, Any]


def record_document(record: AlertRecord) -> dict[str, object]:
    """An alert as plain data."""
    each = record.condition
    return {
        "fingerprint": record.fingerprint,
        "rule": each.rule,
        "severity": each.severity.value,
        "labels": dict(each.labels),
        "summary": each.summary,
        "description": each.description,
        "runbook": each.runbook,
        "value": each.value,
        "hold": each.hold,
        "state": record.state,
        "since": record.since,
        "fired_at": record.fired_at,
        "resolved_at": record.resolved_at,
        "acknowledged_by": record.acknowledged_by,
        "acknowledged_at": record.acknowledged_at,
    }


def _record(document: _Document) -> AlertRecord:
    names = ("rule", "labels", "summary", "description", "runbook", "value", "hold")
    condition = Condition(severity=Severity(document["severity"]), **{name: document[name] for name in names})
    kept = ("fingerprint", "state", "since", "fired_at", "resolved_at", "acknowledged_by", "acknowledged_at")
    return AlertRecord(condition=condition, **{name: document[name] for name in kept})


def dump_record(record: AlertRecord) -> str:
    """An alert as JSON."""
    return json.dumps(record_document(record))


def load_record(text: str) -> AlertRecord:
    """What `dump_record` wrote."""
    return _record(_parsed(text))


def dump_group(group: GroupMemory) -> str:
    """A group as JSON."""
    names = ("key", "receiver", "timing", "waiting_since", "notified_at", "sequence")
    document: _Document = {name: getattr(group, name) for name in names}
    return json.dumps(document | {"labels": dict(group.labels), "told": [*map(record_document, group.told.values())]})


def load_group(text: str) -> GroupMemory:
    """What `dump_group` wrote."""
    document = _parsed(text)
    told = {each.fingerprint: each for each in map(_record, document.pop("told"))}
    return GroupMemory(told=told, timing=tuple(document.pop("timing")), **document)


def dump_silence(silence: Silence) -> str:
    """A silence as JSON."""
    names = ("id", "starts", "ends", "by", "reason")
    matchers = [[each.label, each.operator, each.value] for each in silence.matchers]
    return json.dumps({name: getattr(silence, name) for name in names} | {"matchers": matchers})


def load_silence(text: str) -> Silence:
    """What `dump_silence` wrote."""
    document = _parsed(text)
    return Silence(matchers=tuple(Matcher(*each) for each in document.pop("matchers")), **document)


def dump_notice(notice: Notice) -> str:
    """A notice as JSON."""
    names = ("id", "receiver", "group", "kind", "over", "at")
    lists: Mapping[str, object] = {
        "labels": dict(notice.labels),
        "firing": [*map(record_document, notice.firing)],
        "resolved": [*map(record_document, notice.resolved)],
    }
    return json.dumps({name: getattr(notice, name) for name in names} | dict(lists))


def load_notice(text: str) -> Notice:
    """What `dump_notice` wrote."""
    document = _parsed(text)
    firing, resolved = (tuple(map(_record, document.pop(name))) for name in ("firing", "resolved"))
    return Notice(firing=firing, resolved=resolved, **document)


def _parsed(text: str) -> _Document:
    return cast("_Document", json.loads(text))
