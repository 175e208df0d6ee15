"""Makes the support of the application's tests importable, and says how many callers there are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--callers", type=int, default=10_000, help="How many callers tell who they are.")


@pytest.fixture
def callers(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--callers"))
