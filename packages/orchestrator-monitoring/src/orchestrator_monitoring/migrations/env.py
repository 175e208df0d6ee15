"""Run by Alembic for each of its commands."""

from orchestrator_monitoring.migrations import HISTORY

HISTORY.run()
