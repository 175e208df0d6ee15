"""The way of a call that finds everything well: all layers of a pipeline in one coroutine.

A layer that has nothing to wait for and nothing to refuse comes down to a comparison and an addition. So a call is admitted by all layers at
once, if all of them can say yes at once, and its function is run up to its first wait by hand. What else protects a call - timers, retries,
the settling of an outcome - is set up only when the function does wait, or fails: `Rest` is what the layers of `_layers` would then be
around the attempt that has begun. A call that does not fit takes the layers themselves, before anything is counted.
"""

# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import CoroutineType, coroutine
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from orchestrator_resilience._context import current_deadline, scope
from orchestrator_resilience._layers import Function, Layer, Parts, make_retry, too_late, took_too_long
from orchestrator_resilience._timeouts import TimeLimits
from orchestrator_resilience._windows import Window
from orchestrator_resilience.pipeline_config import ORDER

__all__ = ["FastCalls", "Path", "make_path"]

# Two readings of one clock are less than this apart, in seconds; uvloop's is as old as the loop's last turn.
_ALIKE = 0.1
_ENDED = object()


P = ParamSpec("P")
R = TypeVar("R")


class Begun(NamedTuple):
    """A call that every layer has admitted, and whose first attempt waits for something or has failed.

    Attributes:
        started: When, on the loop's clock.
        since: When, on the policies' clock.
        window: The breaker's, at the time.
        pending: The attempt, unless it has failed already.
        waits_for: What it handed to the event loop.
        errors: Why it failed; taken out when it is raised, so that the error does not hold on to itself.
    """

    function: Function
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    started: float
    timed: bool
    since: float
    window: Window | None
    pending: Generator[Any, Any, None] | None
    waits_for: object
    errors: list[BaseException]


@coroutine
def _run(rest: Rest, pending: Coroutine[Any, Any, Any]) -> Generator[Any, Any, None]:
    """Run a coroutine and put its result down, so that `next` can tell a wait from an end without an exception.

    The result is picked up before anything else runs, so one place serves all calls of an event loop.
    """
    rest.result = yield from pending


@coroutine
def _resumed(rest: Rest, running: Generator[Any, Any, None], waits_for: object) -> Generator[Any, Any, Any]:
    """The rest of a run that has come to its first wait."""
    while True:
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - handed in
            try:
                waits_for = running.throw(error)
            except StopIteration:
                return rest.taken()
        else:
            yield from running
            return rest.taken()


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Rest:
    """The layers around an attempt that has begun."""

    def __init__(self, parts: Parts, *, idempotent: bool) -> None:
        config = parts.config
        self._parts = parts
        self._seconds = config.time_limit_seconds
        self._limits = None if config.time_limit_seconds is None else TimeLimits(config.time_limit_seconds)
        self._deadline = config.deadline_seconds or 0.0
        self._deadlines = None if config.deadline_seconds is None else TimeLimits(config.deadline_seconds)
        self._retry = make_retry(parts, idempotent=idempotent)
        self.result: Any = None
        """What the run that has just ended has answered."""
        self.one_clock = False
        """Whether the policies' clock and the loop's are the same, so that one reading serves both."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop_time(self, now: float) -> float:
        """The loop's time, for as long as it is not known to be `now`, the policies'."""
        loop = asyncio.get_running_loop()
        time = loop.time()
        if loop is not self._loop:
            self._loop, self.one_clock = loop, abs(time - now) < _ALIKE
        return time

    async def __call__(self, begun: Begun) -> Any:
        """The outcome of the call, counted by every layer."""
        if asyncio.get_running_loop() is not self._loop:
            begun = self._rebound(begun)
        if self._deadlines is None or not begun.timed:
            return await self._settled(begun)
        limit = self._deadlines.begin(begun.started + self._deadline)
        return await self._deadlines.bound(limit, self._settled(begun), lambda: too_late(self._parts))

    def _rebound(self, begun: Begun) -> Begun:
        """Another event loop than before; its clock may be another, too."""
        started = self.loop_time(begun.since)
        if begun.timed:
            current_deadline.set(started + self._deadline)
        return begun._replace(started=started)

    def taken(self) -> Any:
        """The result that was put down."""
        result, self.result = self.result, None
        return result

    async def _settled(self, begun: Begun) -> Any:
        try:
            result = await self._tried(begun)
        except BaseException as error:
            self.end(begun.window, begun.since, error)
            raise
        self.end(begun.window, begun.since, None)
        return result

    def end(self, window: Window | None, since: float, error: BaseException | None) -> None:
        """Tell those who count that a call has ended."""
        if self._parts.breaker is not None and window is not None:
            self._parts.breaker.ended(window, since, error)
        if self._parts.bulkhead is not None:
            self._parts.bulkhead.leave(since, error)

    async def _tried(self, begun: Begun) -> Any:
        if self._retry is None:
            return await self._first(begun)
        first = True

        async def attempt() -> Any:
            nonlocal first
            if first:
                first = False
                return await self._first(begun)
            return await self._limited(None, begun.function(*begun.args, **begun.kwargs))

        return await self._retry.call(attempt)

    async def _first(self, begun: Begun) -> Any:
        if begun.pending is None:
            raise begun.errors.pop()
        return await self._limited(begun.started, _resumed(self, begun.pending, begun.waits_for))

    def _limited(self, started: float | None, pending: Awaitable[Any]) -> Awaitable[Any]:
        limits = self._limits
        if limits is None or self._seconds is None:
            return pending
        limit = limits.begin(None if started is None else started + self._seconds)
        return limits.bound(limit, pending, lambda: took_too_long(self._parts))


class Path:
    """What the short way needs of a pipeline's policies, ready to hand."""

    __slots__ = (
        "breaker",
        "budget",
        "bulkhead",
        "monotonic",
        "own",
        "pace",
        "rest",
        "seconds",
        "timed",
        "whole",
    )

    def __init__(self, parts: Parts, whole: Layer, *, idempotent: bool) -> None:
        config = parts.config
        self.whole = whole
        self.rest = Rest(parts, idempotent=idempotent)
        self.seconds = config.deadline_seconds
        self.pace = parts.pace
        self.bulkhead = parts.bulkhead
        self.breaker = parts.breaker
        adaptive = config.bulkhead is not None and config.bulkhead.kind != "fixed"
        self.timed = adaptive or (parts.breaker is not None and parts.breaker.timed)
        self.budget = None if config.retry is None else parts.budget
        self.own = (self.budget,)
        self.monotonic = parts.clock.monotonic


def make_path(parts: Parts, whole: Layer, *, idempotent: bool) -> Path | None:
    """The short way for a configuration, with `whole`, its layers, for calls that do not fit; None if no call would."""
    config, retry = parts.config, parts.config.retry
    if config.order != ORDER or parts.limiter is not None or (config.hedge is not None and idempotent):
        return None
    if retry is not None and (retry.total_seconds is not None or retry.attempt_seconds is not None):
        return None
    if retry is not None and retry.retry_result is not None:
        return None
    return Path(parts, whole, idempotent=idempotent)


class FastCalls:
    """How a pipeline is called."""

    _path: Path | None
    _usual: Layer
    _succeeded: int

    async def _ended(self, error: BaseException) -> Any:
        """The fallback's answer, or the error again."""
        raise NotImplementedError

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: C901, PLR0912, PLR0915 - each frame more costs a whole await
        """Await `function(*args, **kwargs)` under all policies."""
        path = self._path
        if path is None:
            return cast("R", await self._usual(function, args, kwargs))
        now, (end, budgets), rest = path.monotonic(), scope.get(), path.rest
        started = now if rest.one_clock else rest.loop_time(now)
        bulkhead, pace, budget = path.bulkhead, path.pace, path.budget
        arrival, window, token, begun, bounded = now, None, None, None, False
        if pace is not None:
            arrival = (max(now, pace.arrival)) + pace.interval
        if (
            (end is not None and end <= started)
            or (path.breaker is not None and (window := path.breaker.plain_window) is None)
            or (bulkhead is not None and (bulkhead._any_waiting or bulkhead._running >= bulkhead._limit.limit))
            or (pace is not None and arrival - now > pace.span)
        ):
            return cast("R", await path.whole(function, args, kwargs))
        if pace is not None:
            pace.arrival = arrival
        if bulkhead is not None:
            bulkhead._running += 1
        if path.seconds is not None and (end is None or started + path.seconds < end):
            end, bounded = started + path.seconds, True
        if budget is not None and budget not in budgets:
            budget.first_attempts += 1
            token = scope.set((end, (*budgets, budget) if budgets else path.own))
        elif bounded:
            token = scope.set((end, budgets))
        try:
            try:
                try:
                    pending: Any = function(*args, **kwargs) if kwargs else function(*args)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue] - shorter
                    if type(pending) is not CoroutineType:
                        pending = _awaited(pending)
                    running: Any = _run(rest, pending)  # pyright: ignore[reportUnknownArgumentType]
                    if (waits_for := next(running, _ENDED)) is not _ENDED:
                        begun = Begun(function, args, kwargs, started, bounded, now, window, running, waits_for, [])
                except BaseException as error:  # noqa: BLE001 - raised again by the rest of the layers
                    begun = Begun(function, args, kwargs, started, bounded, now, window, None, None, [error])
                if begun is not None:
                    result: R = await rest(begun)
                else:
                    result, rest.result = rest.result, None
                    if path.timed:
                        rest.end(window, now, None)
                    else:
                        if window is not None:
                            window.calls += 1
                        if bulkhead is not None:
                            bulkhead._running -= 1
                            if bulkhead._any_waiting:
                                bulkhead._serve()
            finally:
                if token is not None:
                    scope.reset(token)
        except BaseException as error:  # noqa: BLE001 - raised again, unless the fallback answers
            return cast("R", await self._ended(error))
        self._succeeded += 1
        return result
