"""What the SQL stores share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import CursorResult, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["Insert", "SqlBase", "row_count"]

Insert = sqlite.Insert | postgresql.Insert
_INSERTS: Mapping[str, Callable[[Table], Insert]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SqlBase:
    """A store on SQLite or PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use `engine`, which the caller closes.

        Raises:
            ConfigurationError: It is neither for SQLite nor for PostgreSQL.
        """
        if engine.dialect.name not in _INSERTS:
            raise ConfigurationError(
                f"monitoring keeps its data on {' and '.join(_INSERTS)}, not {engine.dialect.name}"
            )
        self._engine = engine
        self._insert = _INSERTS[engine.dialect.name]

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        message = (
            "The monitoring database failed, or its tables are missing (run the migrations of orchestrator-monitoring)."
        )
        try:
            async with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise DatabaseError(message, code="monitoring_store_failed") from error.orig
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseError(message, code="monitoring_store_failed") from error


def row_count(result: object) -> int:
    """How many rows a statement touched."""
    return cast("CursorResult[Any]", result).rowcount
