"""Run by Alembic for each of its commands."""

from orchestrator_secrets.migrations import HISTORY

HISTORY.run()
