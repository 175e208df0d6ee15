"""Deliveries in SQLite or PostgreSQL (extra `[sql]` or `[postgres]`), in the table `security_deliveries`.

What the user types: `SqlDeliveryStore(create_async_engine("sqlite+aiosqlite:///security.db"))`, after the migrations have run.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.sql import SqlStore, row_count
from orchestrator_security.delivery_store import unix_second
from orchestrator_security.tables import DELIVERIES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["SqlDeliveryStore"]


class SqlDeliveryStore(SqlStore):
    """A `DeliveryStore` shared by every process that uses the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use `engine`, which the caller closes.

        Raises:
            ConfigurationError: It is neither for SQLite nor for PostgreSQL.
        """
        failed = partial(DatabaseError, code="delivery_store_failed")
        super().__init__(engine, what="deliveries", package="orchestrator-security", failed=failed)

    async def accept(self, digest: bytes, *, now: datetime, expires_at: datetime) -> bool:
        async with self._transaction() as connection:
            return await self.accept_within(connection, digest, now=now, expires_at=expires_at)

    async def accept_within(
        self, connection: AsyncConnection, digest: bytes, *, now: datetime, expires_at: datetime
    ) -> bool:
        """`accept` as a part of the caller's transaction on the same kind of database.

        The event that the caller writes there and the delivery are kept together or not at all, so a crash loses neither. A second
        copy waits for the first one's transaction and is accepted if that is rolled back.

        Raises:
            SQLAlchemyError: As the caller's other statements.
        """
        row = {"digest": digest, "expires_at": unix_second(expires_at)}
        statement = self._insert(DELIVERIES).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=[DELIVERIES.c.digest],
            set_={"expires_at": row["expires_at"]},
            where=DELIVERIES.c.expires_at <= int(now.timestamp()),
        )
        return row_count(await connection.execute(statement)) == 1

    async def forget(self, digest: bytes) -> None:
        async with self._transaction() as connection:
            await connection.execute(delete(DELIVERIES).where(DELIVERIES.c.digest == digest))

    async def purge(self, *, now: datetime, limit: int = 1000) -> int:
        """Delete up to `limit` deliveries that expired before `now`; how many they were. For a housekeeping task."""
        expired = select(DELIVERIES.c.digest).where(DELIVERIES.c.expires_at <= int(now.timestamp())).limit(limit)
        async with self._transaction() as connection:
            return row_count(await connection.execute(delete(DELIVERIES).where(DELIVERIES.c.digest.in_(expired))))
