"""Runs the scripts on the connection that the caller put into the configuration's attributes."""

from alembic import context

from orchestrator_calls.migrations import HISTORY
from orchestrator_calls.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=str(HISTORY["version_table"]),
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
