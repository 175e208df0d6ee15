"""An event loop whose time costs nothing.

What the user types: `run(scenario())` in a test. Whenever nothing is ready to run, the loop jumps to its next timer instead of waiting
for it: hours pass in milliseconds, in a fixed order. `LoopClock` is the `Clock` that reads this time. Real I/O still works: while
the loop waits for a file descriptor with no timer due, it waits in real time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

__all__ = ["LoopClock", "VirtualTimeLoop", "run"]

T = TypeVar("T")

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)


class _JumpingSelector(selectors.DefaultSelector):
    """Answers at once, and moves the time forward by what it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.elapsed += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop that starts at time 0 and skips every wait."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        # The default, 1 ns, is lost in a float after half a year: the timer that is due would then never count as due.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumping.elapsed


class LoopClock:
    """The running loop's time as a `Clock`; instants count from `epoch`."""

    def __init__(self, epoch: datetime = EPOCH) -> None:
        self._epoch = epoch

    def now(self) -> datetime:
        return self._epoch + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a virtual-time loop."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
