"""The journal in SQL, under its public name: SQLite for one process, PostgreSQL for several.

What the user types: `SqlJournal(create_engine(url), sealer)`, then `await journal.open()`. The driver is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator_calls._drivers.sql_journal import PURPOSE, SqlJournal

__all__ = ["PURPOSE", "SqlJournal"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchestrator_calls._drivers import sql_journal  # noqa: PLC0415 - SQLAlchemy is paid for by those who use it

    return getattr(sql_journal, name)
