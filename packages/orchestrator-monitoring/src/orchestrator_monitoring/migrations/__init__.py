"""The Alembic history of the package's tables: samples of objectives, alerts, silences, notices and leases (extra `[migrations]`).

What the user types: `await connection.run_sync(HISTORY.upgrade)` within `async with engine.begin() as connection:`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator_kernel.migrations import History

if TYPE_CHECKING:
    from sqlalchemy import MetaData

__all__ = ["HISTORY"]


def _metadata() -> MetaData:
    from orchestrator_monitoring._drivers.sql_tables import METADATA  # noqa: PLC0415 - only with the extra

    return METADATA


HISTORY: Final = History("monitoring", "orchestrator_monitoring", _metadata)
"""Announced by the entry point group `orchestrator.migrations`."""
