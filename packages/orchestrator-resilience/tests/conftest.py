"""No deadline per example: on a shared machine a slow example says nothing about the code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings

settings.register_profile("shared-machine", settings(), deadline=None)
settings.load_profile("shared-machine")


class HandClock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()
