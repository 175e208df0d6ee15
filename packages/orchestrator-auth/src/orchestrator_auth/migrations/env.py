"""Run by Alembic for each of its commands."""

from orchestrator_auth.migrations import HISTORY

HISTORY.run()
