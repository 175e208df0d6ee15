"""Makes the support of the application's tests importable, and a data folder with tables."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from app_support import make_tables


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with tables."""
    folder = tmp_path_factory.mktemp("authz")
    asyncio.run(make_tables(folder))
    return folder
