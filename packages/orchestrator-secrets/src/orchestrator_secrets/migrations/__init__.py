"""The Alembic history of the key store's tables (extra `[migrations]`).

What the user types: `await connection.run_sync(upgrade)` within `async with engine.begin() as connection:`. `HISTORY` says the same to a
program that runs the histories of many packages; importing this module loads neither Alembic nor SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData

__all__ = ["HISTORY", "upgrade"]

VERSION_TABLE: Final = "secrets_alembic_version"


def _metadata() -> MetaData:
    from orchestrator_secrets._schema import METADATA  # noqa: PLC0415 - only with the extra

    return METADATA


HISTORY: Final[Mapping[str, object]] = {
    "name": "secrets",
    "script_location": "orchestrator_secrets:migrations",
    "version_table": VERSION_TABLE,
    "metadata": _metadata,
}
"""Announced by the entry point group `orchestrator.migrations`.

`script_location` is for Alembic's setting of that name; `metadata` is called for the tables as the code wants them. The scripts run on
the connection in `Config.attributes["connection"]`.
"""


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to `revision` within the connection's transaction; nothing happens if they are there."""
    from alembic import command  # noqa: PLC0415 - only with the extra
    from alembic.config import Config  # noqa: PLC0415 - only with the extra

    config = Config()
    config.set_main_option("script_location", str(HISTORY["script_location"]))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
