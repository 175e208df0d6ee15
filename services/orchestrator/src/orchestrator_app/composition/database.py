"""The databases: engines from the settings, and the migrations of all packages."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_app.composition.performance import Performance
from orchestrator_app.composition.secrets import data_folder
from orchestrator_app.settings import AppSettings
from orchestrator_calls.engine import create_engine
from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError, OrchestratorError
from orchestrator_kernel.migrations import History

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["Databases", "SchemaState", "migrate", "open_databases", "prepare", "schema_states"]

KEYS: Final = "secrets"
"""The history whose tables live in the database of the keys."""


@dataclass(frozen=True, slots=True)
class Databases:
    """The journal's engine, and the engine of the keys, which lie apart from the data that they open."""

    data: AsyncEngine
    keys: AsyncEngine
    shown: Mapping[str, str]

    async def close(self) -> None:
        """Give all connections back."""
        await self.data.dispose()
        await self.keys.dispose()

    def of(self, history: str) -> AsyncEngine:
        """Where the tables of a package live."""
        return self.keys if history == KEYS else self.data


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where the tables of one package stand: `current` is None before the first migration."""

    package: str
    current: str | None
    head: str

    @property
    def up_to_date(self) -> bool:
        """Whether the code and the tables fit."""
        return self.current == self.head


def open_databases(settings: AppSettings, performance: Performance | None = None) -> Databases:
    """Engines for both databases, their connections counted by `performance`; nothing is connected yet.

    Raises:
        ConfigurationError: The driver is not installed; names the extra.
    """
    folder = data_folder(settings)
    urls = {
        "data": settings.database.url.get_secret_value() if settings.database.url else _file_url(folder / "calls.db"),
        "keys": settings.database.keys_url.get_secret_value()
        if settings.database.keys_url
        else _file_url(folder / "keys.db"),
    }
    engines = {name: performance.engine(name, url) if performance else _engine(name, url) for name, url in urls.items()}
    shown = {name: engine.url.render_as_string(hide_password=True) for name, engine in engines.items()}
    return Databases(engines["data"], engines["keys"], shown)


def _file_url(path: Path) -> str:
    """A URL in which no character of the path means anything else."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


def _engine(name: str, url: str) -> AsyncEngine:
    try:
        return create_engine(url)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the {name} database needs the driver {error.name}; install orchestrator-app[postgres]"
        ) from error
    except (SQLAlchemyError, ValueError):
        # The cause may quote the password.
        raise ConfigurationError(
            f"the URL of the {name} database is not valid; check its user, host and port"
        ) from None


async def schema_states(databases: Databases) -> list[SchemaState]:
    """Where the tables of every package stand.

    Raises:
        DatabaseError: A database cannot be reached.
    """
    states: list[SchemaState] = []
    for history in _histories():
        with _reachable(databases, history):
            async with databases.of(history.name).connect() as connection:
                states.append(await connection.run_sync(_state, history))
    return states


async def migrate(databases: Databases, *, report: Callable[[SchemaState], None] | None = None) -> None:
    """Bring the tables of every package up to date.

    Raises:
        DatabaseError: A database cannot be reached, or its tables were written by a newer version.
    """
    for history in _histories():
        with _reachable(databases, history):
            async with databases.of(history.name).begin() as connection:
                state = await connection.run_sync(_upgrade, history)
        if report is not None:
            report(state)


async def prepare(settings: AppSettings, databases: Databases) -> None:
    """Bring embedded tables up to date; those of a server are somebody's to migrate at a time of their choice.

    Raises:
        DatabaseError: A database cannot be used, or a server's tables are not up to date.
    """
    if settings.database.url is None and settings.database.keys_url is None:
        await migrate(databases)
    else:
        require_up_to_date(await schema_states(databases))


def require_up_to_date(states: list[SchemaState]) -> None:
    """Refuse tables that are older than the code.

    Raises:
        DatabaseError: Says what to do.
    """
    old = [state.package for state in states if not state.up_to_date]
    if old:
        raise DatabaseError(
            f"the tables of {', '.join(old)} are not up to date; run `orchestrator migrate`", code="schema_outdated"
        )


@contextmanager
def _reachable(databases: Databases, history: History) -> Generator[None, None, None]:
    try:
        yield
    except OrchestratorError:
        raise
    except Exception as error:
        # A driver's own errors reach us as they are while it connects, and they have no common base.
        where = databases.shown["keys" if history.name == KEYS else "data"]
        said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
        raise DatabaseError(
            f"the database {where} cannot be used: {said.splitlines()[0]}", code="database_unreachable"
        ) from error


def _histories() -> list[History]:
    found = [cast("History", each.load()) for each in entry_points(group="orchestrator.migrations")]
    return sorted(found, key=lambda history: history.name)


def _state(connection: Connection, history: History) -> SchemaState:
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - costs more than a start of the CLI may
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    script = ScriptDirectory.from_config(history.config(connection))
    head = script.get_current_head() or ""
    context = MigrationContext.configure(connection, opts={"version_table": history.version_table})
    current = context.get_current_revision()
    if current is not None:
        try:
            script.get_revision(current)
        except CommandError:
            raise DatabaseError(
                f"the tables of {history.name} were written by a newer version ({current}); install that version",
                code="schema_too_new",
            ) from None
    return SchemaState(history.name, current, head)


def _upgrade(connection: Connection, history: History) -> SchemaState:
    before = _state(connection, history)
    if not before.up_to_date:
        history.upgrade(connection)
    return before
