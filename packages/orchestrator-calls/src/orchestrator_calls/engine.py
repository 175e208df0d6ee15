"""The database engine that a journal needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator_kernel.exceptions import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["create_engine", "create_writing_engine"]


CONNECTIONS: Final = 10
"""To a server. Those who wait for one wait less than for a further one to be made, which costs the server a process."""


def create_engine(url: str, **options: Any) -> AsyncEngine:
    """An async engine; on SQLite every connection is in WAL mode, durable at each commit, and waits for locks up to 10 s.

    To a server it keeps up to 10 connections, and never makes more: those that come and go would cost more than they carry.

    Args:
        url: An SQLAlchemy URL with an async driver: `sqlite+aiosqlite:///file` or `postgresql+asyncpg://…`.
        options: Further ones of SQLAlchemy's `create_async_engine`; they take precedence.
    """
    from sqlalchemy import event  # noqa: PLC0415 - importing the package must not pay for the engine machinery
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    server = not url.startswith("sqlite")
    kept: dict[str, Any] = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_use_lifo": True} if server else {}
    engine = create_async_engine(url, **(kept | options))
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def create_writing_engine(engine: AsyncEngine) -> Engine | None:
    """For a SQLite file, an engine for use on a thread, on the same file and with the same durability; None for another database.

    Raises:
        ConfigurationError: The database is in memory, where one connection's end would undo another's work.
    """
    from sqlalchemy import create_engine as create_sync_engine  # noqa: PLC0415
    from sqlalchemy import event  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    if engine.dialect.name != "sqlite":
        return None
    if engine.url.database in {None, "", ":memory:"}:
        raise ConfigurationError(
            "a journal in SQL needs a file or a server; use MemoryJournal for one that is not kept"
        )
    writing = create_sync_engine(engine.url.set(drivername="sqlite"), poolclass=NullPool)
    event.listen(writing, "connect", _prepare_sqlite)
    return writing


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
