"""The Alembic history of this package's tables (extra `[migrations]`).

What the user types: `await connection.run_sync(HISTORY.upgrade)` within `async with engine.begin() as connection:`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator_kernel.migrations import History

if TYPE_CHECKING:
    from sqlalchemy import MetaData

__all__ = ["HISTORY"]


def _metadata() -> MetaData:
    from orchestrator_calls.tables import METADATA  # noqa: PLC0415 - only with the extra

    return METADATA


HISTORY: Final = History("calls", "orchestrator_calls", _metadata)
"""Announced by the entry point group `orchestrator.migrations`."""
