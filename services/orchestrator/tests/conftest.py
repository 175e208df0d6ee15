"""Makes `app_support` importable (tests are loaded by path, so their folder is on no path), and what most tests start from."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from app_support import Commands, make_tables


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "demo: the whole demo call in real time, about 35 s")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases as the first start makes them."""
    folder = tmp_path_factory.mktemp("migrated")
    asyncio.run(make_tables(folder))
    return folder


@pytest.fixture
def data(migrated: Path, tmp_path: Path) -> Path:
    """A data folder of its own, with tables that are up to date."""
    return Path(shutil.copytree(migrated, tmp_path / "data"))


@pytest.fixture(scope="module")
def module_data(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `data`, for all tests of a module."""
    return Path(shutil.copytree(migrated, tmp_path_factory.mktemp("module") / "data"))


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Runs `orchestrator …`."""
    return Commands(capfd, monkeypatch)
