"""The Alembic history of the tables of this package (extra `[migrations]`).

What the user types: `await connection.run_sync(HISTORY.upgrade)` within `async with engine.begin() as connection:`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator_kernel.migrations import History

if TYPE_CHECKING:
    from sqlalchemy import MetaData

__all__ = ["HISTORY"]


def _metadata() -> MetaData:
    from orchestrator_auth._schema import METADATA  # noqa: PLC0415 - only with the extra

    return METADATA


HISTORY: Final = History("auth", "orchestrator_auth", _metadata)
"""Announced by the entry point group `orchestrator.migrations`."""
