"""What the SQL stores share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.sql import SqlStore

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["SqlBase"]


class SqlBase(SqlStore):
    """A store of monitoring on SQLite or PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use `engine`, which the caller closes.

        Raises:
            ConfigurationError: It is neither for SQLite nor for PostgreSQL.
        """
        failed = partial(DatabaseError, code="monitoring_store_failed")
        super().__init__(engine, what="monitoring", package="orchestrator-monitoring", failed=failed)
