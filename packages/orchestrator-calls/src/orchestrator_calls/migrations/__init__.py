"""The history of this package's tables, for Alembic; `orchestrator migrate` runs it with those of all other packages."""

from __future__ import annotations

from typing import Final

__all__ = ["HISTORY"]

HISTORY: Final = {
    "name": "calls",
    "script_location": "orchestrator_calls:migrations",
    "version_table": "calls_alembic_version",
    "metadata": "orchestrator_calls.tables:METADATA",
}
"""Where the scripts lie, and the version table that is this package's own: its history moves without the others'."""
