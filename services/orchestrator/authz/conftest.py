"""Makes the support of the application's tests importable, and a data folder with tables."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from app_support import settings

from orchestrator_app.composition.database import migrate, open_databases


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with tables."""
    folder = tmp_path_factory.mktemp("authz")

    async def make() -> None:
        databases = open_databases(settings(folder))
        try:
            await migrate(databases)
        finally:
            await databases.close()

    asyncio.run(make())
    return folder
