"""One package's tables through time: an Alembic history of its own, with a version table of its own (extra `[migrations]`).

What a package that owns tables writes, in its `migrations/__init__.py` and `migrations/env.py`:

    HISTORY = History("secrets", "orchestrator_secrets", metadata)      # announced by the entry point group orchestrator.migrations
    HISTORY.run()                                                       # in env.py, which Alembic runs for each of its commands

and its user: `await connection.run_sync(HISTORY.upgrade)` within `async with engine.begin() as connection:`. Histories that shared a version
table would block each other's upgrades. Importing this module loads neither Alembic nor SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, MetaData

__all__ = ["History"]


@dataclass(frozen=True, slots=True)
class History:
    """Where the scripts of a package lie, and the tables as its code wants them.

    Attributes:
        name: The package's short name; its tables begin with it.
        package: The package that holds `migrations/`.
        metadata: Called for the tables.
    """

    name: str
    package: str
    metadata: Callable[[], MetaData]

    @property
    def script_location(self) -> str:
        """For Alembic's setting of that name."""
        return f"{self.package}:migrations"

    @property
    def version_table(self) -> str:
        """The package's own."""
        return f"{self.name}_alembic_version"

    def config(self, connection: Connection) -> Config:
        """Alembic's configuration for work on this connection."""
        from alembic.config import Config as AlembicConfig  # noqa: PLC0415 - only with the extra

        config = AlembicConfig()
        config.set_main_option("script_location", self.script_location)
        config.attributes["connection"] = connection
        return config

    def upgrade(self, connection: Connection, revision: str = "head") -> None:
        """Bring the tables to `revision` within the connection's transaction; nothing happens if they are there."""
        from alembic import command  # noqa: PLC0415 - only with the extra

        command.upgrade(self.config(connection), revision)

    def run(self) -> None:
        """Run the scripts that the present command of Alembic asks for, on the connection of its configuration."""
        from alembic import context  # noqa: PLC0415 - only with the extra

        tables = self.metadata()

        def ours(name: str | None, kind: str, _parents: object) -> bool:
            # Other packages have tables in the same database.
            return kind != "table" or name in tables.tables

        context.configure(
            connection=context.config.attributes["connection"],
            target_metadata=tables,
            version_table=self.version_table,
            include_name=ours,
            render_as_batch=True,
        )
        with context.begin_transaction():
            context.run_migrations()
