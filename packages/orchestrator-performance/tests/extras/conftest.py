"""Servers that a test may stop."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from orchestrator_testing.servers import valkey


@pytest.fixture
def valkey_server_of_ones_own() -> Generator:
    with valkey() as server:
        yield server
