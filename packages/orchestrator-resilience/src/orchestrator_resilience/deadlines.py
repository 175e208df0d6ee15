"""A deadline that everything inside can see: one instant, carried by the context through every layer and child task.

What the user types:

    async with deadline(2.0):
        ...                       # ends with DeadlineExceeded after two seconds
        remaining()               # what is left, for whoever wants to know before starting something

A deadline inside a deadline can only be earlier.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from orchestrator_kernel.exceptions import ExternalServiceError
from orchestrator_resilience._context import current_deadline
from orchestrator_resilience._validation import not_negative

__all__ = ["DEADLINE_HEADER", "DeadlineExceeded", "deadline", "deadline_from_header", "deadline_header", "remaining"]

DEADLINE_HEADER = "x-request-timeout-ms"
"""Outgoing and incoming header: whole milliseconds that are left. A span of time, so that clocks need not agree."""


class DeadlineExceeded(ExternalServiceError):
    """The time that was left for everything is over."""

    default_code = "deadline_exceeded"
    default_status = 504
    default_retryable = False


def remaining() -> float | None:
    """Seconds until the present deadline, not below 0; None without one. Needs a running loop, whose clock deadlines are on."""
    end = current_deadline.get()
    return None if end is None else max(0.0, end - asyncio.get_running_loop().time())


@asynccontextmanager
async def deadline(seconds: float | None) -> AsyncGenerator[None]:
    """End what is inside after `seconds`, or at the deadline around it if that is earlier; None adds none.

    Raises:
        DeadlineExceeded: The time was over. Also before anything is started, if nothing was left.
    """
    end = current_deadline.get()
    if seconds is not None:
        not_negative("seconds", seconds)
        end = min(end if end is not None else math.inf, asyncio.get_running_loop().time() + seconds)
    if end is None:
        yield
        return
    if end <= asyncio.get_running_loop().time():
        raise DeadlineExceeded("no time is left")
    token = current_deadline.set(end)
    scope = asyncio.timeout_at(end)
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise DeadlineExceeded("the time is over") from error
    finally:
        current_deadline.reset(token)


def deadline_header() -> dict[str, str]:
    """The header that tells the next service how much time is left; empty without a deadline."""
    left = remaining()
    return {} if left is None else {DEADLINE_HEADER: str(int(left * 1000))}


def deadline_from_header(value: str | None, *, at_most: float) -> float:
    """Seconds that a caller's header leaves us: never more than `at_most`, which is also the answer to a missing or broken one."""
    if value is None or not value.isascii() or not value.isdecimal() or len(value) > 9:
        return at_most
    return min(at_most, int(value) / 1000)
