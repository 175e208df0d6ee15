"""The database engine that a journal needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["create_engine"]


def create_engine(url: str) -> AsyncEngine:
    """An async engine; on SQLite every connection is in WAL mode, durable at each commit, and waits for locks up to 10 s.

    Args:
        url: An SQLAlchemy URL with an async driver: `sqlite+aiosqlite:///file` or `postgresql+asyncpg://…`.
    """
    from sqlalchemy import event  # noqa: PLC0415 - importing the package must not pay for the ORM's engine machinery twice
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    engine = create_async_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
