"""Time, injected: monotonic for durations, aware UTC for instants."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where every time in the system comes from."""

    def now(self) -> datetime:
        """The instant, aware, in UTC. May jump when the system's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since an unknown start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `monotonic` has advanced by at least `seconds`."""
        ...


class SystemClock:
    """The clock of the machine and of the running event loop."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
