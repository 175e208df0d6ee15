"""Records and revocations in SQLite or PostgreSQL (extra `[sql]` or `[postgres]`), after the migrations of this package have run.

What the user types: `SqlRecords(create_async_engine("sqlite+aiosqlite:///auth.db"))`, and `SqlRevocations` of the same engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import ColumnElement, Row, and_, delete, select, update

from orchestrator_auth._jwt.revocation import Changes, Revocation, RevocationKind
from orchestrator_auth._schema import METADATA, RECORDS, REVOCATION_CLOCK, REVOCATIONS
from orchestrator_auth.exceptions import AuthStoreFailed
from orchestrator_auth.records import Record
from orchestrator_kernel.sql import SqlStore, row_count

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["METADATA", "SqlRecords", "SqlRevocations"]

_CLOCK: Final = "revocations"


class _Database(SqlStore):
    """Connections whose every failure is `AuthStoreFailed`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use `engine`, which the caller closes.

        Raises:
            ConfigurationError: It is neither for SQLite nor for PostgreSQL.
        """
        super().__init__(engine, what="users and sessions", package="orchestrator-auth", failed=AuthStoreFailed)


class SqlRecords(_Database):
    """A `RecordStore` in the table `auth_records`."""

    async def get(self, kind: str, id: str) -> Record | None:  # noqa: A002 - the record's own name for it
        return await self._one(_is(kind, id))

    async def by_alias(self, kind: str, alias: str) -> Record | None:
        return await self._one(and_(RECORDS.c.kind == kind, RECORDS.c.alias == alias))

    async def owned(self, kind: str, owner: str, *, after: str = "", limit: int = 500) -> Sequence[Record]:
        columns = RECORDS.c
        query = select(RECORDS).where(columns.kind == kind, columns.owner == owner)
        async with self._connection() as connection:
            # Compared by bytes, as everywhere else; PostgreSQL's own order depends on its locale.
            by_id = columns.id.collate("C") if connection.dialect.name == "postgresql" else columns.id
            rows = await connection.execute(query.where(by_id > after).order_by(by_id).limit(limit))
            return [_record(row) for row in rows]

    async def add(self, record: Record) -> bool:
        row = {
            "kind": record.kind,
            "id": record.id,
            "version": 1,
            "owner": record.owner,
            "alias": record.alias,
            "expires_at": _utc(record.expires_at),
            "body": record.body,
        }
        async with self._transaction() as connection:
            return row_count(await connection.execute(self._insert(RECORDS).values(row).on_conflict_do_nothing())) == 1

    async def replace(self, record: Record) -> bool:
        statement = (
            update(RECORDS)
            .where(_is(record.kind, record.id), RECORDS.c.version == record.version)
            .values(version=record.version + 1, expires_at=_utc(record.expires_at), body=record.body)
        )
        async with self._transaction() as connection:
            return row_count(await connection.execute(statement)) == 1

    async def remove(self, kind: str, id: str) -> bool:  # noqa: A002
        async with self._transaction() as connection:
            return row_count(await connection.execute(delete(RECORDS).where(_is(kind, id)))) == 1

    async def purge(self, now: datetime) -> int:
        async with self._transaction() as connection:
            return row_count(await connection.execute(delete(RECORDS).where(RECORDS.c.expires_at <= _utc(now))))

    async def _one(self, condition: ColumnElement[bool]) -> Record | None:
        async with self._connection() as connection:
            row = (await connection.execute(select(RECORDS).where(condition))).one_or_none()
        return None if row is None else _record(row)


class SqlRevocations(_Database):
    """A `RevocationStore` in the table `auth_revocations`."""

    async def add(self, revocations: Sequence[Revocation], now: float) -> None:
        async with self._transaction() as connection:
            version = await self._next(connection, len(revocations))
            await connection.execute(delete(REVOCATIONS).where(REVOCATIONS.c.expires_at <= now))
            for number, each in enumerate(revocations):
                row = {
                    "kind": str(each.kind),
                    "value": each.value,
                    "version": version + number,
                    "cutoff": each.cutoff,
                    "expires_at": each.expires_at,
                }
                insert = self._insert(REVOCATIONS).values(row)
                changes = {name: row[name] for name in ("version", "cutoff", "expires_at")}
                keys = [REVOCATIONS.c.kind, REVOCATIONS.c.value]
                await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes))

    async def changes(self, after: int, now: float) -> Changes:
        columns = REVOCATIONS.c
        async with self._transaction() as connection:
            # The version first: what is committed in between is then read twice, never missed.
            version = await connection.scalar(select(REVOCATION_CLOCK.c.version))
            if version is None or version == after:
                return Changes(version or 0)
            rows = await connection.execute(
                select(REVOCATIONS).where(columns.version > after, columns.expires_at > now)
            )
            found = [
                Revocation(kind=RevocationKind(row.kind), value=row.value, cutoff=row.cutoff, expires_at=row.expires_at)
                for row in rows
            ]
        return Changes(version, found)

    async def _next(self, connection: AsyncConnection, count: int) -> int:
        """The first of `count` new versions; takes the lock that serialises whoever revokes."""
        insert = self._insert(REVOCATION_CLOCK).values(name=_CLOCK, version=count)
        more = insert.on_conflict_do_update(
            index_elements=[REVOCATION_CLOCK.c.name], set_={"version": REVOCATION_CLOCK.c.version + count}
        )
        last = await connection.scalar(more.returning(REVOCATION_CLOCK.c.version))
        return int(cast("int", last)) - count + 1


def _is(kind: str, record_id: str) -> ColumnElement[bool]:
    return and_(RECORDS.c.kind == kind, RECORDS.c.id == record_id)


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.astimezone(UTC)


def _record(row: Row[Any]) -> Record:
    expires_at: datetime | None = row.expires_at
    if expires_at is not None and expires_at.tzinfo is None:
        expires_at = expires_at.replace(tzinfo=UTC)  # SQLite keeps no offset; what we write is UTC
    return Record(
        kind=row.kind,
        id=row.id,
        body=row.body,
        version=row.version,
        owner=row.owner,
        alias=row.alias,
        expires_at=expires_at,
    )
