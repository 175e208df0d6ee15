"""Run by Alembic for each of its commands."""

from orchestrator_security.migrations import HISTORY

HISTORY.run()
