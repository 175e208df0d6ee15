"""Data keys in SQLite or PostgreSQL (extra `[sql]`).

What the user types: `SqlKeyStore(create_async_engine("sqlite+aiosqlite:///keys.db"))`, after its migrations have run. Give the key store a
database of its own: backups of the data then hold no keys, and erasing a person reaches into them.

Deleting is thorough on SQLite: the engine's connections get `secure_delete` (a deleted key is overwritten with zeros) and at least
`synchronous=FULL` (what was committed survives a power cut), and after a deletion the write-ahead log is emptied. PostgreSQL keeps dead row
versions until they are vacuumed and overwritten, and its log longer; what lies there is still under the master key.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, delete, event, select, update

from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.sql import SqlStore, row_count
from orchestrator_secrets._schema import DATA_KEYS, METADATA, SUBJECTS
from orchestrator_secrets.key_store import DataKey, Wrapped, subject_erased

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["METADATA", "KeyStoreFailed", "SqlKeyStore"]

logger = logging.getLogger(__name__)

_IDS_PER_QUERY = 200
# Built once: building it costs as much as running it.
_BY_IDS = select(DATA_KEYS).where(DATA_KEYS.c.id.in_(bindparam("ids", expanding=True)))
_HARDENED = "orchestrator_secrets.hardened"


class KeyStoreFailed(DatabaseError):
    """The key store's database cannot be reached, refused a statement, or lacks the tables."""

    default_code = "key_store_failed"


class SqlKeyStore(SqlStore):
    """A `KeyStore` in two tables, `secrets_subjects` and `secrets_data_keys`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use `engine`, which the caller closes.

        Raises:
            ConfigurationError: It is neither for SQLite nor for PostgreSQL.
        """
        super().__init__(engine, what="the key store", package="orchestrator-secrets", failed=KeyStoreFailed)
        if self._on_sqlite:
            event.listen(engine.sync_engine, "checkout", _harden)

    async def get(self, key_ids: Collection[bytes]) -> Mapping[bytes, DataKey]:
        wanted, found = list(key_ids), dict[bytes, DataKey]()
        async with self._connection() as connection:
            for start in range(0, len(wanted), _IDS_PER_QUERY):
                some = wanted[start : start + _IDS_PER_QUERY]
                rows = await connection.execute(_BY_IDS, {"ids": some})
                found.update((row.id, _data_key(row)) for row in rows)
        return found

    async def newest(self, tenant: str, subject: str) -> DataKey | None:
        async with self._connection() as connection:
            return await _newest(connection, tenant, subject, lock=False)

    async def add(self, key: DataKey) -> DataKey:
        async with self._transaction() as connection:
            # First, because it takes the write lock on SQLite; the row it leaves is the lock on PostgreSQL.
            row = {"tenant": key.tenant, "subject": key.subject, "created_at": key.created_at}
            await connection.execute(self._insert(SUBJECTS).values(row).on_conflict_do_nothing())
            newest = await _newest(connection, key.tenant, key.subject, lock=True)
            if newest is not None and newest.generation >= key.generation:
                return newest
            await connection.execute(DATA_KEYS.insert().values(_row(key)))
        return key

    async def reserve(self, key_id: bytes, uses: int, limit: int) -> bool:
        more = DATA_KEYS.c.reserved + uses
        statement = update(DATA_KEYS).where(DATA_KEYS.c.id == key_id, more <= limit).values(reserved=more)
        async with self._transaction() as connection:
            return row_count(await connection.execute(statement)) == 1

    async def rewrap(self, changes: Collection[tuple[DataKey, Wrapped]]) -> int:
        count = 0
        async with self._transaction() as connection:
            for key, wrapped in changes:
                statement = (
                    update(DATA_KEYS)
                    .where(DATA_KEYS.c.id == key.id, DATA_KEYS.c.wrapped == key.wrapped.data)
                    .values(master_key_id=wrapped.master_key_id, wrapped=wrapped.data)
                )
                count += row_count(await connection.execute(statement))
        return count

    async def wrapped_otherwise(self, master_key_id: str, *, after: bytes, limit: int) -> Sequence[DataKey]:
        others = and_(DATA_KEYS.c.master_key_id != master_key_id, DATA_KEYS.c.id > after)
        async with self._connection() as connection:
            rows = await connection.execute(select(DATA_KEYS).where(others).order_by(DATA_KEYS.c.id).limit(limit))
            return [_data_key(row) for row in rows]

    async def master_keys(self) -> frozenset[str]:
        async with self._connection() as connection:
            ids = await connection.scalars(select(DATA_KEYS.c.master_key_id).distinct())
            return frozenset(ids)

    async def destroy(self, tenant: str, subject: str, at: datetime) -> bool:
        row = {"tenant": tenant, "subject": subject, "created_at": at, "erased_at": at}
        tombstone = self._insert(SUBJECTS).values(row)
        tombstone = tombstone.on_conflict_do_update(
            index_elements=[SUBJECTS.c.tenant, SUBJECTS.c.subject],
            set_={"erased_at": at},
            where=SUBJECTS.c.erased_at.is_(None),
        )
        async with self._transaction() as connection:
            await connection.execute(tombstone)
            count = row_count(await connection.execute(delete(DATA_KEYS).where(_of(DATA_KEYS.c, tenant, subject))))
        if count and not await self.scrub():
            logger.warning("deleted keys remain in the write-ahead log until the next scrub, because somebody reads")
        return count > 0

    async def scrub(self) -> bool:
        """Empty SQLite's write-ahead log, where old pages lie; false if a reader or writer stood in the way just now.

        `destroy` does it each time. On PostgreSQL there is nothing to do here, and the answer is true.
        """
        if not self._on_sqlite:
            return True
        async with self._connection() as connection:
            driver = await connection.execution_options(isolation_level="AUTOCOMMIT")
            patience = await driver.exec_driver_sql("PRAGMA busy_timeout")
            usual = int(patience.scalar_one())
            # While it waits for readers it keeps writers out, so it must not wait long.
            await driver.exec_driver_sql("PRAGMA busy_timeout = 100")
            try:
                result = await driver.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                return int(result.one()[0]) == 0
            finally:
                await driver.exec_driver_sql(f"PRAGMA busy_timeout = {usual}")


async def _newest(connection: AsyncConnection, tenant: str, subject: str, *, lock: bool) -> DataKey | None:
    person = select(SUBJECTS.c.erased_at).where(_of(SUBJECTS.c, tenant, subject))
    erased_at = (await connection.execute(person.with_for_update() if lock else person)).one_or_none()
    if erased_at is None:
        return None
    if erased_at[0] is not None:
        raise subject_erased()
    keys = select(DATA_KEYS).where(_of(DATA_KEYS.c, tenant, subject))
    row = (await connection.execute(keys.order_by(DATA_KEYS.c.generation.desc()).limit(1))).one_or_none()
    return None if row is None else _data_key(row)


def _of(columns: Any, tenant: str, subject: str) -> ColumnElement[bool]:
    return and_(columns.tenant == tenant, columns.subject == subject)


def _row(key: DataKey) -> dict[str, object]:
    return {
        "id": key.id,
        "tenant": key.tenant,
        "subject": key.subject,
        "generation": key.generation,
        "created_at": key.created_at,
        "reserved": key.reserved,
        "master_key_id": key.wrapped.master_key_id,
        "wrapped": key.wrapped.data,
    }


def _data_key(row: Row[Any]) -> DataKey:
    created_at: datetime = row.created_at
    return DataKey(
        id=row.id,
        tenant=row.tenant,
        subject=row.subject,
        generation=row.generation,
        wrapped=Wrapped(row.master_key_id, row.wrapped),
        reserved=row.reserved,
        # SQLite keeps no offset; what we write is UTC.
        created_at=created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC),
    )


def _harden(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Set once per connection of the pool what safe deletion and durability need."""
    if record.info.get(_HARDENED):
        return
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.execute("PRAGMA synchronous")
        row = cursor.fetchone()
        if row is not None and row[0] < 2:
            cursor.execute("PRAGMA synchronous = FULL")
    finally:
        cursor.close()
    record.info[_HARDENED] = True
