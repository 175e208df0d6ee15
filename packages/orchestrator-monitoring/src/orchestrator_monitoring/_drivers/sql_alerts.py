"""Alerts, groups, silences and notices in SQLite or PostgreSQL (extra `[sql]` or `[postgres]`), shared by all processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from sqlalchemy import ColumnElement, case, delete, select, update

from orchestrator_kernel.sql import row_count
from orchestrator_monitoring._alerting.documents import (
    dump_group,
    dump_notice,
    dump_record,
    dump_silence,
    load_group,
    load_notice,
    load_record,
    load_silence,
)
from orchestrator_monitoring._alerting.groups import Book, Change, Notice
from orchestrator_monitoring._alerting.routing import Silence
from orchestrator_monitoring._alerting.states import AlertRecord
from orchestrator_monitoring._alerting.store import KEPT_NOTICES, Delivery, DeliveryOutcome, Lease, LeaseLost, merged
from orchestrator_monitoring._drivers.sql_common import SqlBase
from orchestrator_monitoring._drivers.sql_tables import ALERTS, GROUPS, LEASES, NOTICES, SILENCES, VALUES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["SqlAlertStore"]

_LEASE = "alerts"
_BATCH = 500
"""Rows per statement: SQLite takes so many parameters."""


class SqlAlertStore(SqlBase):
    """An `AlertStore` that outlives its processes. A change is one transaction, fenced by the lease."""

    async def lease(self, holder: str, *, now: float, seconds: float) -> Lease | None:
        async with self._transaction() as connection:
            first = self._insert(LEASES).values(name=_LEASE, holder="", token=0, expires=0.0)
            await connection.execute(first.on_conflict_do_nothing())
            mine = LEASES.c.holder == holder
            taken = (
                update(LEASES)
                .where((LEASES.c.name == _LEASE) & (mine | (LEASES.c.expires <= now)))
                .values(holder=holder, token=LEASES.c.token + case((mine, 0), else_=1), expires=now + seconds)
                .returning(LEASES.c.token)
            )
            row = (await connection.execute(taken)).first()
        return None if row is None else Lease(holder, row.token, now + seconds)

    async def release(self, lease: Lease) -> None:
        async with self._transaction() as connection:
            await connection.execute(update(LEASES).where(_held(lease)).values(holder="", expires=0.0))

    async def load(self, now: float) -> Book:
        async with self._transaction() as connection:
            columns = (ALERTS.c.document, ALERTS.c.acknowledged_by, ALERTS.c.acknowledged_at)
            alerts = [_with_answer(*row) for row in await connection.execute(select(*columns))]
            groups = [load_group(text) for text in await connection.scalars(select(GROUPS.c.document))]
            live = select(SILENCES.c.document).where(SILENCES.c.ends > now)
            silences = tuple(load_silence(text) for text in await connection.scalars(live))
        return Book({each.fingerprint: each for each in alerts}, {each.key: each for each in groups}, silences)

    async def commit(self, change: Change, lease: Lease) -> None:
        async with self._transaction() as connection:
            held = update(LEASES).where(_held(lease)).values(token=lease.token)
            if row_count(await connection.execute(held)) != 1:
                raise LeaseLost("another process evaluates the alerts now")
            await self._put_alerts(connection, list(change.alerts.values()))
            await _remove(connection, change)
            for group in change.groups.values():
                row = {"key": group.key, "document": dump_group(group)}
                put = self._insert(GROUPS).values(row)
                await connection.execute(
                    put.on_conflict_do_update(index_elements=["key"], set_={"document": row["document"]})
                )
            for notice in change.notices:
                await self._post(connection, notice)

    async def _put_alerts(self, connection: AsyncConnection, records: Sequence[AlertRecord]) -> None:
        rows = [
            {
                "fingerprint": each.fingerprint,
                "state": each.state,
                "since": each.since,
                "document": dump_record(each),
                "acknowledged_by": each.acknowledged_by,
                "acknowledged_at": each.acknowledged_at,
            }
            for each in records
        ]
        if not rows:
            return
        put = self._insert(ALERTS)
        same = ALERTS.c.since == put.excluded.since
        kept = {
            name: case((same, ALERTS.c[name]), else_=put.excluded[name])
            for name in ("acknowledged_by", "acknowledged_at")
        }
        new = {name: put.excluded[name] for name in ("state", "since", "document")}
        await connection.execute(put.on_conflict_do_update(index_elements=["fingerprint"], set_=new | kept), rows)

    async def _post(self, connection: AsyncConnection, notice: Notice) -> None:
        whole = notice
        if notice.group:
            before = (NOTICES.c.group_key == notice.group) & (NOTICES.c.outcome == "waiting")
            for text in await connection.scalars(delete(NOTICES).where(before).returning(NOTICES.c.document)):
                whole = merged(whole, load_notice(text))
        row = {
            "id": whole.id,
            "receiver": whole.receiver,
            "group_key": whole.group,
            "created": whole.at,
            "due": whole.at,
            "attempts": 0,
            "outcome": "waiting",
            "error": "",
            "document": dump_notice(whole),
        }
        await connection.execute(self._insert(NOTICES).values(row).on_conflict_do_nothing())

    async def acknowledge(self, fingerprint: str, *, by: str, now: float) -> bool:
        asked = (ALERTS.c.fingerprint == fingerprint) & (ALERTS.c.state == "firing")
        async with self._transaction() as connection:
            answered = update(ALERTS).where(asked).values(acknowledged_by=by, acknowledged_at=now)
            return row_count(await connection.execute(answered)) == 1

    async def silence(self, silence: Silence) -> None:
        row = {"ends": silence.ends, "document": dump_silence(silence)}
        put = self._insert(SILENCES).values(id=silence.id, **row)
        async with self._transaction() as connection:
            await connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=row))

    async def unsilence(self, silence_id: str, *, now: float) -> bool:
        asked = (SILENCES.c.id == silence_id) & (SILENCES.c.ends > now)
        async with self._transaction() as connection:
            text = await connection.scalar(select(SILENCES.c.document).where(asked))
            if text is None:
                return False
            ended = dump_silence(replace(load_silence(text), ends=now))
            await connection.execute(update(SILENCES).where(asked).values(ends=now, document=ended))
        return True

    async def due(self, receiver: str, *, now: float, limit: int) -> Sequence[Delivery]:
        asked = (NOTICES.c.receiver == receiver) & (NOTICES.c.outcome == "waiting") & (NOTICES.c.due <= now)
        async with self._transaction() as connection:
            rows = await connection.execute(_DELIVERIES.where(asked).order_by(NOTICES.c.created).limit(limit))
            return [_delivery(*row) for row in rows]

    async def mark(self, delivery: Delivery) -> None:
        values = {name: getattr(delivery, name) for name in ("outcome", "attempts", "due", "error")}
        async with self._transaction() as connection:
            await connection.execute(update(NOTICES).where(NOTICES.c.id == delivery.notice.id).values(**values))

    async def post(self, notice: Notice) -> None:
        async with self._transaction() as connection:
            await self._post(connection, notice)

    async def deliveries(self, limit: int) -> Sequence[Delivery]:
        async with self._transaction() as connection:
            newest = _DELIVERIES.order_by(NOTICES.c.created.desc(), NOTICES.c.id).limit(limit)
            return [_delivery(*row) for row in await connection.execute(newest)]

    async def put_values(self, process: str, values: Mapping[str, float], *, now: float) -> None:
        rows = [{"name": name, "process": process, "value": value, "at": now} for name, value in sorted(values.items())]
        if not rows:
            return
        put = self._insert(VALUES)
        new = {"value": put.excluded.value, "at": put.excluded.at}
        async with self._transaction() as connection:
            await connection.execute(put.on_conflict_do_update(index_elements=["name", "process"], set_=new), rows)

    async def values(self, since: float) -> Mapping[str, Mapping[str, float]]:
        found: dict[str, dict[str, float]] = defaultdict(dict)
        async with self._transaction() as connection:
            rows = select(VALUES.c.name, VALUES.c.process, VALUES.c.value).where(VALUES.c.at >= since)
            for name, process, value in await connection.execute(rows):
                found[name][process] = value
        return found

    async def purge(self, now: float) -> None:
        old = now - KEPT_NOTICES
        async with self._transaction() as connection:
            done = (NOTICES.c.outcome != "waiting") & (NOTICES.c.created <= old)
            await connection.execute(delete(NOTICES).where(done))
            await connection.execute(delete(SILENCES).where(SILENCES.c.ends <= old))
            await connection.execute(delete(VALUES).where(VALUES.c.at <= now - 86_400))


_DELIVERIES = select(NOTICES.c.document, NOTICES.c.outcome, NOTICES.c.attempts, NOTICES.c.due, NOTICES.c.error)


def _delivery(document: str, outcome: str, attempts: int, due: float, error: str) -> Delivery:
    return Delivery(load_notice(document), cast("DeliveryOutcome", outcome), attempts, due, error)


def _held(lease: Lease) -> ColumnElement[bool]:
    return (LEASES.c.name == _LEASE) & (LEASES.c.holder == lease.holder) & (LEASES.c.token == lease.token)


def _with_answer(document: str, by: str, at: float | None) -> AlertRecord:
    return replace(load_record(document), acknowledged_by=by, acknowledged_at=at)


async def _remove(connection: AsyncConnection, change: Change) -> None:
    gone, dropped = sorted(change.gone), sorted(change.dropped)
    for start in range(0, len(gone), _BATCH):
        await connection.execute(delete(ALERTS).where(ALERTS.c.fingerprint.in_(gone[start : start + _BATCH])))
    for start in range(0, len(dropped), _BATCH):
        await connection.execute(delete(GROUPS).where(GROUPS.c.key.in_(dropped[start : start + _BATCH])))
