"""Deliveries in SQLite or PostgreSQL (extra `[sql]` or `[postgres]`), in the table `security_deliveries`.

What the user types: `SqlDeliveryStore(create_async_engine("sqlite+aiosqlite:///security.db"))`, after the migrations have run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import CursorResult, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError
from orchestrator_security.delivery_store import unix_second
from orchestrator_security.tables import DELIVERIES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["SqlDeliveryStore"]

_Insert = sqlite.Insert | postgresql.Insert
_INSERTS: Mapping[str, Callable[[Table], _Insert]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SqlDeliveryStore:
    """A `DeliveryStore` shared by every process that uses the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use `engine`, which the caller closes.

        Raises:
            ConfigurationError: It is neither for SQLite nor for PostgreSQL.
        """
        if engine.dialect.name not in _INSERTS:
            raise ConfigurationError(f"the delivery store works on {' and '.join(_INSERTS)}, not {engine.dialect.name}")
        self._engine = engine
        self._insert = _INSERTS[engine.dialect.name]

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
        return _count(await connection.execute(statement)) == 1

    async def forget(self, digest: bytes) -> None:
        async with self._transaction() as connection:
            await connection.execute(delete(DELIVERIES).where(DELIVERIES.c.digest == digest))

    async def purge(self, *, now: datetime, limit: int = 1000) -> int:
        """Delete up to `limit` deliveries that expired before `now`; how many they were. For a housekeeping task."""
        expired = select(DELIVERIES.c.digest).where(DELIVERIES.c.expires_at <= int(now.timestamp())).limit(limit)
        async with self._transaction() as connection:
            return _count(await connection.execute(delete(DELIVERIES).where(DELIVERIES.c.digest.in_(expired))))

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        message = "The delivery store's database failed, or its table is missing (run the migrations of orchestrator-security)."
        try:
            async with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise DatabaseError(message, code="delivery_store_failed") from error.orig
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseError(message, code="delivery_store_failed") from error


def _count(result: object) -> int:
    return cast("CursorResult[Any]", result).rowcount
