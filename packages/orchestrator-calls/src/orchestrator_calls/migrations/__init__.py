"""The history of this package's tables, for Alembic; `orchestrator migrate` runs it with those of all other packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import MetaData

__all__ = ["HISTORY"]


def _metadata() -> MetaData:
    from orchestrator_calls.tables import METADATA  # noqa: PLC0415 - announcing the history imports no SQLAlchemy

    return METADATA


HISTORY: Final[Mapping[str, object]] = {
    "name": "calls",
    "script_location": "orchestrator_calls:migrations",
    "version_table": "calls_alembic_version",
    "metadata": _metadata,
}
"""Where the scripts lie, and the version table that is this package's own: its history moves without the others'."""
