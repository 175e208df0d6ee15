"""Makes the support of the application's tests importable, and says how many callers there are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tests")]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--callers", type=int, default=24, help="How many callers tell who they are; `nox -s canary` takes 10,000."
    )


@pytest.fixture
def callers(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--callers"))
