"""Run by Alembic for each of its commands."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from orchestrator_secrets._schema import METADATA
from orchestrator_secrets.migrations import VERSION_TABLE


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Keep to the tables of this package in a database that others use too."""
    return kind != "table" or name in METADATA.tables


def run(connection: Connection) -> None:
    """Run the scripts on `connection`."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        include_name=_ours,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
