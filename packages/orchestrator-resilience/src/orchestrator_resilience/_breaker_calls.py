"""One call through a circuit: how it is let in, and what its outcome can be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from orchestrator_kernel.exceptions import CircuitBreakerOpenError, ConfigurationError

if TYPE_CHECKING:
    from orchestrator_resilience.circuit_breaker import CircuitBreaker

NEUTRAL = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class CircuitOpen(CircuitBreakerOpenError):
    """The circuit is open: the dependency was not asked. `retry_after` says when a probe will be let through, if that is known."""


class Outcome(Exception):
    """A call that ended without an error and is a failure all the same: too slow, or a result that says so."""


class Guard:
    """One call in the words of the caller: `async with breaker.guard(): ...`, or `with`. Use it once.

    An error that leaves the block is the outcome; a cancellation is none.
    """

    __slots__ = ("_admitted", "_breaker")

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker
        self._admitted: Admission | None = None

    def __enter__(self) -> None:
        if self._admitted is not None:
            raise ConfigurationError("a guard protects one call: ask the breaker for another one")
        self._admitted = self._breaker._admit()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - one unit with the breaker

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._admitted is not None:
            self._breaker._settle(self._admitted, error)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - one unit with the breaker

    async def __aenter__(self) -> None:
        if self._admitted is not None:
            raise ConfigurationError("a guard protects one call: ask the breaker for another one")
        self._admitted = await self._breaker._enter()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - one unit with the breaker

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.__exit__(kind, error, trace)


class Admission:
    """That a call was let through: under which window, since when, and as a probe or not."""

    __slots__ = ("expires", "started", "window")

    def __init__(self, window: object, started: float, expires: float | None) -> None:
        self.window = window
        self.started = started
        self.expires = expires
