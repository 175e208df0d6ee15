"""Notices: one per group and interval, whatever happens in between. Pure.

Each receiver of each route has its own memory of each group: which alerts it was told of as firing, and when. Whoever was told that an alert fires is told
of its end, silenced or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from orchestrator_monitoring._alerting.routing import Inhibition, Routing, Silence, Target
from orchestrator_monitoring._alerting.states import AlertRecord

__all__ = ["Book", "Change", "GroupMemory", "Notice", "NoticeKind", "step"]

_HEARTBEAT: Final = "heartbeat:"

NoticeKind: TypeAlias = Literal["alerts", "heartbeat", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a receiver is to be told.

    Attributes:
        id: The same for every try; the receiver can tell a repetition by it.
        receiver: Its name.
        group: The key of the group.
        kind: alerts, heartbeat (the dead-man's switch) or test.
        labels: What the alerts of the group have in common.
        firing: Those that fire, and are not muted.
        resolved: Those that the receiver was told of and that ended.
        over: Nothing that the receiver was told of fires any more.
        at: Unix seconds.
    """

    id: str
    receiver: str
    group: str
    kind: NoticeKind = "alerts"
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    firing: tuple[AlertRecord, ...] = ()
    resolved: tuple[AlertRecord, ...] = ()
    over: bool = False
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemory:
    """What one receiver knows of one group.

    Attributes:
        key: Names the group.
        receiver: Whose memory it is.
        labels: What the alerts of the group have in common.
        timing: Seconds to wait before the first notice, between notices with news, and between those without.
        waiting_since: When there was first something to tell; None if nothing waits for its first notice.
        notified_at: When it was last told.
        told: The alerts it was told of as firing and not yet of their end, with the record as it was told.
        sequence: How many notices there were.
    """

    key: str
    receiver: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    timing: tuple[float, float, float] = (0.0, 300.0, 14_400.0)
    waiting_since: float | None = None
    notified_at: float | None = None
    told: Mapping[str, AlertRecord] = field(default_factory=dict[str, AlertRecord])
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that is kept: alerts by fingerprint, groups by key, silences."""

    alerts: Mapping[str, AlertRecord]
    groups: Mapping[str, GroupMemory]
    silences: Sequence[Silence] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What an evaluation changes: everything in it is kept, or nothing.

    Attributes:
        alerts: New or changed.
        gone: Fingerprints that are no more.
        groups: New or changed.
        dropped: Keys of groups that are no more.
        notices: To be sent; each takes the place of one of its group that still waits.
    """

    alerts: Mapping[str, AlertRecord]
    gone: frozenset[str]
    groups: Mapping[str, GroupMemory]
    dropped: frozenset[str]
    notices: tuple[Notice, ...]


def step(book: Book, alerts: Mapping[str, AlertRecord], routing: Routing, now: float) -> Change:
    """What is to be kept and told after an evaluation.

    Args:
        book: As it was kept.
        alerts: As `advance` left them.
        routing: Who is told.
        now: Unix seconds.
    """
    groups: dict[str, GroupMemory] = {}
    dropped: set[str] = set()
    notices: list[Notice] = []
    members = _members(alerts, routing, book.silences, now)
    for key in sorted(members.keys() | {each for each in book.groups if not each.startswith(_HEARTBEAT)}):
        known = book.groups.get(key)
        memory, wanted = members.get(key) or (known, [])
        assert memory is not None  # noqa: S101 - a key is in one of the two
        if known is not None:
            memory = replace(known, labels=memory.labels, timing=memory.timing)
        after, notice = _group(memory, wanted, alerts, now)
        if notice is not None:
            notices.append(notice)
        if after is None and known is not None:
            dropped.add(key)
        elif after is not None and after != known:
            groups[key] = after
    for memory, notice in _heartbeats(book, routing, now):
        groups[memory.key] = memory
        notices.append(notice)
    changed = {key: each for key, each in alerts.items() if each != book.alerts.get(key)}
    gone = frozenset(book.alerts.keys() - alerts.keys())
    return Change(changed, gone, groups, frozenset(dropped), tuple(notices))


def _members(
    alerts: Mapping[str, AlertRecord], routing: Routing, silences: Iterable[Silence], now: float
) -> dict[str, tuple[GroupMemory, list[AlertRecord]]]:
    """The groups that exist now, as new ones, each with the alerts that its receiver should know as firing."""
    firing = [each for each in alerts.values() if each.state == "firing"]
    live = [each for each in silences if each.starts <= now < each.ends]
    sources = [(rule, _sources(rule, firing)) for rule in routing.inhibitions]
    found: dict[str, tuple[GroupMemory, list[AlertRecord]]] = {}
    new: dict[tuple[str, str, tuple[tuple[str, str], ...]], GroupMemory] = {}
    for record in firing:
        labels = record.labels
        if any(each.mutes(labels, now) for each in live):
            continue
        if any(_inhibited(rule, inhibiting, record, labels) for rule, inhibiting in sources):
            continue
        for target in routing.targets(labels):
            if target.after and (now - (record.fired_at or now) < target.after or record.acknowledged_by):
                continue
            # Alerts come by the thousand, and groups do not.
            group = tuple((name, labels[name]) for name in target.route.group_by if name in labels)
            place = (target.route.name, target.receiver, group)
            memory = new.get(place)
            if memory is None:
                memory = new[place] = _new_memory(target, dict(group))
                found[memory.key] = (memory, [])
            found[memory.key][1].append(record)
    return found


def _sources(rule: Inhibition, firing: Sequence[AlertRecord]) -> dict[tuple[str, ...], set[str]]:
    """The alerts that inhibit, by the values that must be the same: a storm of a thousand must not be compared with another one by one."""
    found: dict[tuple[str, ...], set[str]] = {}
    for record in firing:
        labels = record.labels
        if rule.inhibits(labels):
            found.setdefault(rule.values(labels), set()).add(record.fingerprint)
    return found


def _inhibited(
    rule: Inhibition, sources: Mapping[tuple[str, ...], set[str]], record: AlertRecord, labels: Mapping[str, str]
) -> bool:
    if not sources or not rule.concerns(labels):
        return False
    return bool(sources.get(rule.values(labels), set[str]()) - {record.fingerprint})


def _new_memory(target: Target, group: Mapping[str, str]) -> GroupMemory:
    route = target.route
    # Whoever is told late has waited enough.
    timing = (0.0 if target.after else route.group_wait, route.group_interval, route.repeat_interval)
    return GroupMemory(key=target.key(group), receiver=target.receiver, labels=group, timing=timing)


def _group(
    memory: GroupMemory, wanted: Sequence[AlertRecord], alerts: Mapping[str, AlertRecord], now: float
) -> tuple[GroupMemory | None, Notice | None]:
    """One group after this evaluation (None: forget it), and what its receiver is told, if it is time."""
    still = {key: each for key, each in memory.told.items() if _fires(alerts.get(key))}
    ended = [_as_ended(each, alerts.get(key), now) for key, each in memory.told.items() if key not in still]
    wait, interval, repeat = memory.timing
    if memory.notified_at is None:
        if not wanted:
            return None, None
        memory = replace(memory, waiting_since=now if memory.waiting_since is None else memory.waiting_since)
        due = now - (memory.waiting_since or now) >= wait
    else:
        passed = now - memory.notified_at
        news = bool(ended) or any(_is_news(each, memory.told) for each in wanted)
        unattended = any(not each.acknowledged_by for each in wanted)
        due = (news and passed >= interval) or (unattended and passed >= repeat)
        if not memory.told and not wanted and passed >= interval:
            return None, None
    if not due:
        return memory, None
    told = still | {each.fingerprint: each for each in wanted}
    after = replace(memory, waiting_since=None, notified_at=now, told=told, sequence=memory.sequence + 1)
    return after, _notice(after, wanted, ended, now)


def _notice(memory: GroupMemory, wanted: Sequence[AlertRecord], ended: Sequence[AlertRecord], now: float) -> Notice:
    return Notice(
        # The time tells groups apart that were forgotten in between and begin to count again.
        id=f"{memory.key[:24]}-{now:.0f}-{memory.sequence}",
        receiver=memory.receiver,
        group=memory.key,
        labels=memory.labels,
        firing=tuple(wanted),
        resolved=tuple(ended),
        over=not memory.told,
        at=now,
    )


def _fires(record: AlertRecord | None) -> bool:
    return record is not None and record.state == "firing"


def _as_ended(told: AlertRecord, record: AlertRecord | None, now: float) -> AlertRecord:
    """The record of an alert that ended; made up from what was told where the alert is pending anew, or forgotten."""
    if record is not None and record.state == "resolved":
        return record
    return replace(told, state="resolved", resolved_at=now)


def _is_news(record: AlertRecord, told: Mapping[str, AlertRecord]) -> bool:
    known = told.get(record.fingerprint)
    return known is None or known.acknowledged_by != record.acknowledged_by


def _heartbeats(book: Book, routing: Routing, now: float) -> Iterable[tuple[GroupMemory, Notice]]:
    """The dead-man's switch: whoever gets these beats raises the alarm when they stop."""
    for receiver in routing.heartbeats:
        key = f"{_HEARTBEAT}{receiver}"
        memory = book.groups.get(key) or GroupMemory(key=key, receiver=receiver)
        if memory.notified_at is not None and now - memory.notified_at < routing.heartbeat_every:
            continue
        after = replace(memory, notified_at=now, sequence=memory.sequence + 1)
        yield (
            after,
            Notice(id=f"heartbeat-{receiver}-{now:.0f}", receiver=receiver, group=key, kind="heartbeat", at=now),
        )
