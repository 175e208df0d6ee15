"""One service for all tests of a module: making one costs more than most tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio
from app_support import Client, running, settings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(module_data: Path) -> AsyncGenerator[Client, None]:
    async with running(settings(module_data)) as client:
        yield client
