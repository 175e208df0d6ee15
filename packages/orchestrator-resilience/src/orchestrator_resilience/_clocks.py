"""The machine's clock without a Python frame around it."""

from __future__ import annotations

import time

from orchestrator_kernel.ports import Clock, SystemClock


class DirectClock(SystemClock):
    """The port's default; `monotonic` is read on every call, and the method around it costs as much as the reading."""

    monotonic = staticmethod(time.monotonic)  # pyright: ignore[reportAssignmentType] - called in the same way


def direct(clock: Clock | None) -> Clock:
    """The clock; the machine's, unless given."""
    return DirectClock() if clock is None or type(clock) is SystemClock else clock
