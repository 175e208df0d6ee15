"""A bulkhead: so many calls to one dependency at a time, a short line before it, and a limit that can find itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from orchestrator_kernel.exceptions import (
    CircuitBreakerOpenError,
    ConfigurationError,
    OrchestratorError,
    RateLimitError,
)
from orchestrator_kernel.ports import Clock
from orchestrator_resilience._adaptive_limits import ConcurrencyLimit, make_limit
from orchestrator_resilience._clocks import direct
from orchestrator_resilience._priorities import Lines, Priority, Shed
from orchestrator_resilience._retry_rules import status_of
from orchestrator_resilience.config import BulkheadConfig
from orchestrator_resilience.deadlines import remaining
from orchestrator_resilience.events import Decision, DecisionObserver, tell

P = ParamSpec("P")
R = TypeVar("R")

_OVERLOAD_STATUSES = frozenset({429, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadSnapshot:
    """A bulkhead at one moment: the present limit, calls under way, calls that wait, and how many have been shed."""

    name: str
    limit: int
    running: int
    waiting: int
    shed: int


class _Waiter:
    __slots__ = ("granted", "priority")

    def __init__(self, priority: Priority, granted: asyncio.Future[None]) -> None:
        self.priority = priority
        self.granted = granted


class Slot:
    """One call's place: `async with bulkhead.slot(): ...`. Use it once."""

    __slots__ = ("_bulkhead", "_priority", "_started")

    def __init__(self, bulkhead: Bulkhead, priority: Priority) -> None:
        self._bulkhead = bulkhead
        self._priority = priority
        self._started: float | None = None

    async def __aenter__(self) -> None:
        if self._started is not None:
            raise ConfigurationError("a slot is for one call: ask the bulkhead for another one")
        self._started = await self._bulkhead.enter(self._priority)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._started is not None:
            self._bulkhead.leave(self._started, error)


class Bulkhead:
    """Lets only so many calls run together. For one event loop.

    Args:
        name: The dependency, for messages and metrics.
        config: How many, and who waits.
        clock: Where time comes from; only `monotonic` is used.
        observers: Told of every call that was shed.
    """

    def __init__(
        self,
        name: str,
        config: BulkheadConfig | None = None,
        *,
        clock: Clock | None = None,
        observers: Iterable[DecisionObserver] = (),
    ) -> None:
        self.name = name
        self.config = config or BulkheadConfig()
        self._monotonic = direct(clock).monotonic
        self._limit: ConcurrencyLimit = make_limit(self.config)
        self._adaptive = self.config.kind != "fixed"
        self._running = 0
        self._any_waiting = False
        self._waiting: Lines[_Waiter] = Lines()
        self._no_wait_since = self._monotonic()
        self._shed = 0
        self._observers = tuple(observers)

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `function(*args, **kwargs)` when there is room; with `DEFAULT` priority.

        Raises:
            Shed: There was none, or not in time; `function` was not called.
        """
        started = await self.enter(Priority.DEFAULT)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            self.leave(started, error)
            raise
        self.leave(started, None)
        return result

    def slot(self, priority: Priority = Priority.DEFAULT) -> Slot:
        """A place for a block of code. Entering it raises `Shed` if there is none."""
        return Slot(self, priority)

    def snapshot(self) -> BulkheadSnapshot:
        """The bulkhead now."""
        return BulkheadSnapshot(
            name=self.name, limit=self._limit.limit, running=self._running, waiting=len(self._waiting), shed=self._shed
        )

    def enter_now(self) -> float | None:
        """Take a place without waiting; answers when it was taken, for `leave`, or None if there is none."""
        if self._running >= self._limit.limit or self._any_waiting:
            return None
        self._running += 1
        return self._monotonic()

    async def enter(self, priority: Priority = Priority.DEFAULT) -> float:
        """Take a place, waiting for it if need be; answers when it was taken, for `leave`.

        Raises:
            Shed: There was none, or not in time.
        """
        started = self.enter_now()
        if started is None:
            await self._wait(priority, self._monotonic())
            return self._monotonic()
        return started

    async def _wait(self, priority: Priority, now: float) -> None:
        if not len(self._waiting):
            self._no_wait_since = now
        left = remaining()
        limit = self.config.max_wait_seconds if left is None else min(left, self.config.max_wait_seconds)
        if len(self._waiting) >= self.config.max_waiting:
            lowest = self._waiting.lowest()
            loser = self._waiting.lose(priority, newest=False) if lowest is not None and lowest < priority else None
            if loser is None:
                raise self._refusal("full")
            loser.granted.set_exception(self._refusal("displaced"))
        waiter = _Waiter(priority, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter, priority)
        self._any_waiting = True
        try:
            async with asyncio.timeout(limit):
                await waiter.granted
        except BaseException as error:
            self._give_up(waiter)
            if isinstance(error, TimeoutError):
                raise self._refusal("waited too long") from None
            raise

    def _give_up(self, waiter: _Waiter) -> None:
        self._waiting.remove(waiter, waiter.priority)
        self._any_waiting = len(self._waiting) > 0
        granted = waiter.granted
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            # The place came in the same moment as the end of the wait: the next one has it.
            self._running -= 1
            self._serve()

    def _refusal(self, reason: str) -> Shed:
        self._shed += 1
        if self._observers:
            tell(self._observers, Decision("bulkhead", self.name, reason.replace(" ", "_")))
        return Shed(
            f"{self.name} has no room for this call: {reason}", details={"dependency": self.name, "reason": reason}
        )

    def leave(self, started: float, error: BaseException | None) -> None:
        """Give a place back, and say how the call ended."""
        self._running -= 1
        if self._adaptive and not isinstance(error, asyncio.CancelledError):
            overloaded = error is not None and means_overload(error)
            if error is None or overloaded:
                self._limit.ended(started, self._monotonic(), running=self._running + 1, overloaded=overloaded)
        if self._any_waiting:
            self._serve()

    def _serve(self) -> None:
        now = self._monotonic()
        while self._running < self._limit.limit and len(self._waiting):
            newest = now - self._no_wait_since > self.config.overload_seconds
            waiter = self._waiting.serve(newest=newest)
            if not waiter.granted.done():
                self._running += 1
                waiter.granted.set_result(None)
        self._any_waiting = len(self._waiting) > 0
        if not self._any_waiting:
            self._no_wait_since = now


def means_overload(error: BaseException) -> bool:
    """Whether an error says that the dependency has too much to do. Not that the call was wrong, nor that it was not sent at all."""
    if isinstance(error, CircuitBreakerOpenError | Shed):
        return False
    if isinstance(error, OrchestratorError):
        return isinstance(error, RateLimitError) or error.status in _OVERLOAD_STATUSES
    return isinstance(error, TimeoutError) or status_of(error) in _OVERLOAD_STATUSES
