"""Where alerts and what was told of them are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_monitoring._alerting.groups import Book, Change, GroupMemory, Notice
from orchestrator_monitoring._alerting.routing import Silence
from orchestrator_monitoring._alerting.states import AlertRecord

__all__ = ["AlertStore", "Delivery", "DeliveryOutcome", "Lease", "LeaseLost", "MemoryAlertStore", "merged"]

DeliveryOutcome: TypeAlias = Literal["waiting", "sent", "refused"]
KEPT_NOTICES = 30 * 86_400.0


class LeaseLost(DatabaseError):
    """Another process evaluates now; nothing was changed."""

    default_code = "lease_lost"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to evaluate and to notify, for a time.

    Attributes:
        holder: The process.
        token: Grows with each change of hands, so that a holder that slept too long is found out.
        expires: Unix seconds.
    """

    holder: str
    token: int
    expires: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice, and what became of it.

    Attributes:
        notice: What is to be told.
        outcome: waiting, sent, or refused for good.
        attempts: How often it was tried.
        due: Unix seconds of the next try.
        error: Of the last try.
    """

    notice: Notice
    outcome: DeliveryOutcome = "waiting"
    attempts: int = 0
    due: float = 0.0
    error: str = ""


class AlertStore(Protocol):
    """Keeps alerts, groups, silences, notices and the lease. Everything raises `DatabaseError` when it cannot be told or kept."""

    async def lease(self, holder: str, *, now: float, seconds: float) -> Lease | None:
        """Take the lease, or prolong it; None while another process holds it."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back, so that another process need not wait."""
        ...

    async def load(self, now: float) -> Book:
        """All alerts and groups, and the silences that are not over."""
        ...

    async def commit(self, change: Change, lease: Lease) -> None:
        """Keep a change, all of it or nothing.

        A notice takes the place of one of its group that still waits, whose resolved alerts it inherits; an alert that begins to fire anew loses its
        acknowledgement; one that goes on keeps the acknowledgement that somebody may have given meanwhile.

        Raises:
            LeaseLost: The lease is not held any more.
        """
        ...

    async def acknowledge(self, fingerprint: str, *, by: str, now: float) -> bool:
        """Note who takes care of an alert; False if none fires under this fingerprint."""
        ...

    async def silence(self, silence: Silence) -> None:
        """Add a silence, or put it in the place of the one with its id."""
        ...

    async def unsilence(self, silence_id: str, *, now: float) -> bool:
        """End a silence; False if there is none, or it is over."""
        ...

    async def due(self, receiver: str, *, now: float, limit: int) -> Sequence[Delivery]:
        """Notices that wait to be sent to a receiver, oldest first."""
        ...

    async def mark(self, delivery: Delivery) -> None:
        """Keep what became of a notice; nothing happens if a later one has taken its place."""
        ...

    async def post(self, notice: Notice) -> None:
        """Add a notice that belongs to no group, such as a test."""
        ...

    async def deliveries(self, limit: int) -> Sequence[Delivery]:
        """The newest notices, newest first."""
        ...

    async def put_values(self, process: str, values: Mapping[str, float], *, now: float) -> None:
        """What a process reads of the gauges that rules watch, by rule."""
        ...

    async def values(self, since: float) -> Mapping[str, Mapping[str, float]]:
        """What processes read since an instant: by rule, then by process."""
        ...

    async def purge(self, now: float) -> None:
        """Drop notices that were sent or refused 30 days ago, silences that ended then, and values of a day ago."""
        ...


def merged(notice: Notice, before: Notice) -> Notice:
    """A notice that takes the place of one that was never sent: what ended there is told here, unless it fires again."""
    firing = {each.fingerprint for each in notice.firing} | {each.fingerprint for each in notice.resolved}
    inherited = tuple(each for each in before.resolved if each.fingerprint not in firing)
    return replace(notice, resolved=(*inherited, *notice.resolved))


class MemoryAlertStore:
    """An `AlertStore` for one process; what it holds ends with it."""

    def __init__(self) -> None:
        self._alerts: dict[str, AlertRecord] = {}
        self._groups: dict[str, GroupMemory] = {}
        self._silences: dict[str, Silence] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._values: dict[tuple[str, str], tuple[float, float]] = {}
        self._lease = Lease("", 0, 0.0)

    async def lease(self, holder: str, *, now: float, seconds: float) -> Lease | None:
        held = self._lease
        if held.holder != holder and held.expires > now:
            return None
        token = held.token if held.holder == holder else held.token + 1
        self._lease = Lease(holder, token, now + seconds)
        return self._lease

    async def release(self, lease: Lease) -> None:
        if (self._lease.holder, self._lease.token) == (lease.holder, lease.token):
            self._lease = Lease("", lease.token, 0.0)

    async def load(self, now: float) -> Book:
        live = tuple(each for each in self._silences.values() if each.ends > now)
        return Book(dict(self._alerts), dict(self._groups), live)

    async def commit(self, change: Change, lease: Lease) -> None:
        if (self._lease.holder, self._lease.token) != (lease.holder, lease.token):
            raise LeaseLost("another process evaluates the alerts now")
        for key, record in change.alerts.items():
            self._alerts[key] = _with_answer(record, self._alerts.get(key))
        for key in change.gone:
            self._alerts.pop(key, None)
        self._groups.update(change.groups)
        for key in change.dropped:
            self._groups.pop(key, None)
        for notice in change.notices:
            self._post(notice)

    def _post(self, notice: Notice) -> None:
        waiting = [
            key
            for key, each in self._deliveries.items()
            if each.notice.group == notice.group and each.outcome == "waiting" and notice.group
        ]
        whole = notice
        for key in waiting:
            whole = merged(whole, self._deliveries.pop(key).notice)
        self._deliveries[whole.id] = Delivery(whole, due=whole.at)

    async def acknowledge(self, fingerprint: str, *, by: str, now: float) -> bool:
        record = self._alerts.get(fingerprint)
        if record is None or record.state != "firing":
            return False
        self._alerts[fingerprint] = replace(record, acknowledged_by=by, acknowledged_at=now)
        return True

    async def silence(self, silence: Silence) -> None:
        self._silences[silence.id] = silence

    async def unsilence(self, silence_id: str, *, now: float) -> bool:
        known = self._silences.get(silence_id)
        if known is None or known.ends <= now:
            return False
        self._silences[silence_id] = replace(known, ends=now)
        return True

    async def due(self, receiver: str, *, now: float, limit: int) -> Sequence[Delivery]:
        waiting = [
            each
            for each in self._deliveries.values()
            if each.notice.receiver == receiver and each.outcome == "waiting" and each.due <= now
        ]
        return sorted(waiting, key=lambda each: each.notice.at)[:limit]

    async def mark(self, delivery: Delivery) -> None:
        if delivery.notice.id in self._deliveries:
            self._deliveries[delivery.notice.id] = delivery

    async def post(self, notice: Notice) -> None:
        self._post(notice)

    async def deliveries(self, limit: int) -> Sequence[Delivery]:
        return sorted(self._deliveries.values(), key=lambda each: (-each.notice.at, each.notice.id))[:limit]

    async def put_values(self, process: str, values: Mapping[str, float], *, now: float) -> None:
        for name, value in values.items():
            self._values[name, process] = (value, now)

    async def values(self, since: float) -> Mapping[str, Mapping[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for (name, process), (value, at) in self._values.items():
            if at >= since:
                found.setdefault(name, {})[process] = value
        return found

    async def purge(self, now: float) -> None:
        old = now - KEPT_NOTICES
        self._deliveries = {
            key: each for key, each in self._deliveries.items() if each.outcome == "waiting" or each.notice.at > old
        }
        self._silences = {key: each for key, each in self._silences.items() if each.ends > old}
        self._values = {key: each for key, each in self._values.items() if each[1] > now - 86_400}


def _with_answer(record: AlertRecord, known: AlertRecord | None) -> AlertRecord:
    """The record with the acknowledgement that is kept, if it is still the same incident."""
    if known is None or known.since != record.since:
        return record
    return replace(record, acknowledged_by=known.acknowledged_by, acknowledged_at=known.acknowledged_at)
