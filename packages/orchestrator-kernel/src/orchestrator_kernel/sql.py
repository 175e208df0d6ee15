"""What the packages' stores on SQLite and PostgreSQL share (extra `[sql]`): the engine, the error, `INSERT … ON CONFLICT`.

What the user types: `class SqlThings(SqlStore)`, whose `__init__` passes the caller's engine on and says what it keeps; then
`async with self._transaction() as connection`. The I/O is SQLAlchemy's; what is here decides what its errors become.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import CursorResult, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["Insert", "SqlStore", "database_errors", "insertion", "row_count"]

Insert = sqlite.Insert | postgresql.Insert
"""An insertion that can say what is to happen on a conflict."""

_INSERTS: Final[Mapping[str, Callable[[Table], Insert]]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SqlStore:
    """A store in tables of a package's own, on SQLite or PostgreSQL.

    Args:
        engine: The caller's, who closes it.
        what: What is kept, as in "the database of users failed".
        package: Whose migrations make the tables.
        failed: Makes the error that stands for all that the database does wrong.

    Raises:
        ConfigurationError: The engine is for another database.
    """

    def __init__(self, engine: AsyncEngine, *, what: str, package: str, failed: Callable[[str], DatabaseError]) -> None:
        self._engine = engine
        self._insert = insertion(engine, what)
        self._on_sqlite = engine.dialect.name == "sqlite"
        self._failure = f"The database of {what} failed, or its tables are missing (run the migrations of {package})."
        self._failed = failed

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        """A connection; nothing is committed."""
        with database_errors(self._failure, self._failed):
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        """A connection whose work is committed at the end, or rolled back by an error."""
        async with self._connection() as connection, connection.begin():
            yield connection


def insertion(engine: AsyncEngine, what: str) -> Callable[[Table], Insert]:
    """The `insert` of the engine's database.

    Raises:
        ConfigurationError: It is neither SQLite nor PostgreSQL, so that `what` cannot be kept in it.
    """
    dialect = engine.dialect.name
    if dialect not in _INSERTS:
        raise ConfigurationError(f"{what} can be kept in {' or '.join(_INSERTS)}, not in {dialect}")
    return _INSERTS[dialect]


@contextmanager
def database_errors(
    message: str, failed: Callable[[str], DatabaseError], *, passing: tuple[type[SQLAlchemyError], ...] = ()
) -> Generator[None]:
    """Whatever the database does wrong is one error, in whose traceback no value of a statement stands.

    Args:
        message: Of the error.
        failed: Makes it.
        passing: What goes through as it is.
    """
    try:
        yield
    except passing:
        raise
    except DBAPIError as error:
        # The driver's own error; that of SQLAlchemy would show the parameters.
        raise failed(message) from error.orig
    except SQLAlchemyError as error:
        raise failed(f"{message} {type(error).__name__}") from None
    except OSError as error:  # a connection that asyncpg could not make
        raise failed(message) from error


def row_count(result: object) -> int:
    """How many rows a statement touched."""
    return cast("CursorResult[Any]", result).rowcount
