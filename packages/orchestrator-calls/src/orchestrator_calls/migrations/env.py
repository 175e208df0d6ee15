"""Run by Alembic for each of its commands."""

from orchestrator_calls.migrations import HISTORY

HISTORY.run()
