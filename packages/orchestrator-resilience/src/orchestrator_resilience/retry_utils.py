"""Retries that do not make an outage worse.

What the user types:

    budget = RetryBudget()                                  # one for the process
    retry = Retry(PRESETS["tts"], budget=budget)
    voices = await retry.call(client.voices)

A retry is a request that nobody asked for, so it is paid from a budget: a tenth of the first attempts. The deadline of the caller holds for
all attempts and pauses together. Sources: Google SRE book, Handling Overload; Envoy's retry budget; Dean and Barroso, The Tail at Scale.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Generic, ParamSpec, TypeVar, cast

from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_resilience._retry_rules import backoff, is_retryable, parse_retry_after, retry_after_of, was_not_done
from orchestrator_resilience._validation import not_negative, share
from orchestrator_resilience.config import HedgeConfig, RetryConfig
from orchestrator_resilience.deadlines import deadline, remaining

__all__ = ["PRESETS", "AttemptTimedOut", "Hedge", "Retry", "RetryBudget", "is_retryable", "parse_retry_after"]

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

PRESETS: Mapping[str, RetryConfig] = MappingProxyType(
    {
        "database": RetryConfig(attempts=3, base_seconds=0.5, max_seconds=10.0),
        "external_api": RetryConfig(attempts=3, base_seconds=1.0, max_seconds=30.0),
        "connector": RetryConfig(attempts=5, base_seconds=2.0, max_seconds=60.0),
        "tts": RetryConfig(attempts=3, base_seconds=1.0, max_seconds=20.0),
        "redis": RetryConfig(attempts=2, base_seconds=0.1, max_seconds=1.0),
    }
)

_FINAL = "the error is not one that a retry can mend"

# The budgets that an enclosing retry in this context has already paid into.
_paid: ContextVar[tuple[RetryBudget, ...]] = ContextVar("orchestrator_resilience_budgets", default=())


class AttemptTimedOut(ExternalServiceError):
    """One attempt took longer than `attempt_seconds`."""

    default_code = "attempt_timed_out"
    default_status = 504


class RetryBudget:
    """How many retries a process may add: a share of its first attempts. Share one object among all retries and hedges.

    Each first attempt pays `ratio` in, each retry takes 1 out before its pause begins, so that retries in backoff count. Where retries are
    nested, only the outermost call pays in: three layers together add a tenth, not a third.

    Args:
        ratio: Retries per first attempt in the long run.
        reserve: Retries that can be saved up, and are there at the start, for dependencies that are seldom called.

    Raises:
        ConfigurationError: A value is out of range.
    """

    __slots__ = ("_balance", "_ratio", "_reserve", "refused")

    def __init__(self, ratio: float = 0.1, reserve: float = 10.0) -> None:
        share("ratio", ratio)
        not_negative("reserve", reserve)
        self._ratio = ratio
        # Less than one whole retry could never be saved up.
        self._reserve = max(1.0, reserve)
        self._balance = reserve
        self.refused = 0
        """Retries that were not made for want of budget."""

    @property
    def balance(self) -> float:
        """Retries that could be made now."""
        return self._balance

    def pay_in(self) -> None:
        """A first attempt is made."""
        self._balance = min(self._reserve, self._balance + self._ratio)

    def take(self) -> bool:
        """Take one retry out, if there is one."""
        # A tenth added ten times is a little less than one.
        if self._balance < 1.0 - 1e-9:
            self.refused += 1
            return False
        self._balance = max(0.0, self._balance - 1.0)
        return True

    def give_back(self) -> None:
        """A retry that was taken and not made."""
        self._balance = min(self._reserve, self._balance + 1.0)


@contextmanager
def _paying(budget: RetryBudget) -> Generator[None]:
    """Pay in for a first attempt, and keep those inside from paying in again."""
    budget.pay_in()
    token = _paid.set((*_paid.get(), budget))
    try:
        yield
    finally:
        _paid.reset(token)


class _Answered(Generic[R]):
    """A result that may be tried for again."""

    __slots__ = ("result",)

    def __init__(self, result: R) -> None:
        self.result = result


class Retry:
    """Calls again what failed in passing. The last error, or result, reaches the caller as it is, with a note why it was the last.

    Never retried are cancellations, refusals of an open circuit, and calls that may have taken effect unless they are idempotent.

    Args:
        config: What to retry and how long.
        budget: Shared by the whole process; without one, nothing but `config.attempts` bounds the retries.
        clock: Where `Retry-After` dates and pauses are measured.
        chance: Where jitter comes from.
    """

    def __init__(
        self,
        config: RetryConfig | None = None,
        *,
        budget: RetryBudget | None = None,
        clock: Clock | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.config = config or RetryConfig()
        self._budget = budget
        self._clock = clock or SystemClock()
        self._chance = chance or random.Random()
        self._limited = self.config.attempt_seconds is not None
        self._retry_result = self.config.retry_result

    def with_idempotency_key(self) -> Retry:
        """The same policy for calls that carry an idempotency key: the server recognises a repetition, so it may be sent again."""
        config = replace(self.config, idempotent=True)
        return Retry(config, budget=self._budget, clock=self._clock, chance=self._chance)

    def __call__(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        """Decorate a coroutine function."""

        @functools.wraps(function)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            return await self.call(function, *args, **kwargs)

        return retried

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `function(*args, **kwargs)`, again if need be.

        Raises:
            DeadlineExceeded: `total_seconds`, or the deadline around the call, ended while an attempt was under way or before the first.
            AttemptTimedOut: The last attempt took too long.
        """
        budget = self._budget
        if budget is None or budget in (outer := _paid.get()):
            return await self._within(function, args, kwargs)
        budget.pay_in()
        token = _paid.set((*outer, budget))
        try:
            return await self._within(function, args, kwargs)
        finally:
            _paid.reset(token)

    def _within(
        self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Coroutine[Any, Any, R]:
        """The attempts, under the policy's own deadline if it has one. The one around it ends them by itself."""
        if self.config.total_seconds is None:
            return self._attempts(function, args, kwargs)
        return self._timed_attempts(function, args, kwargs)

    async def _timed_attempts(
        self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        async with deadline(self.config.total_seconds):
            return await self._attempts(function, args, kwargs)

    async def _attempts(
        self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        retry_result = self._retry_result
        made, pause = 0, 0.0
        while True:
            made += 1
            try:
                if self._limited:
                    result = await self._limited_attempt(function, args, kwargs)
                else:
                    result = await function(*args, **kwargs)
            except Exception as error:
                wait, why = self._pause(error, made, pause)
                if wait is None:
                    if made > 1 or why is not _FINAL:
                        error.add_note(f"not tried again after {made} attempt{'s' * (made > 1)}: {why}")
                    raise
            else:
                if retry_result is None or not retry_result(result):
                    return result
                wait, _ = self._pause(_Answered(result), made, pause)
                if wait is None:
                    return result
            pause = wait
            await self._rest(wait)

    async def _limited_attempt(
        self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        scope = asyncio.timeout(self.config.attempt_seconds)
        try:
            async with scope:
                return await function(*args, **kwargs)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise AttemptTimedOut(f"an attempt took longer than {self.config.attempt_seconds:g} s") from error

    def _pause(self, failure: Exception | _Answered[Any], made: int, before: float) -> tuple[float | None, str]:
        """Seconds to wait before the next attempt, or None and the reason why there is none. Takes the retry out of the budget."""
        answer: object = failure.result if isinstance(failure, _Answered) else failure
        why = (
            self._why_not(answer, made)
            if isinstance(failure, _Answered) or is_retryable(failure, self.config)
            else _FINAL
        )
        if why:
            return None, why
        wait = backoff(self.config, made, before, self._chance)
        asked, left = retry_after_of(answer, self._clock.now()) or 0.0, remaining()
        if asked > self.config.max_retry_after_seconds:
            return None, f"the server asked for a pause of {asked:g} s"
        wait = max(wait, asked)
        if left is not None and wait >= left:
            return None, "the deadline comes before the next attempt"
        if self._budget is not None and not self._budget.take():
            return None, "the retry budget is spent"
        return wait, ""

    def _why_not(self, answer: object, made: int) -> str:
        """What forbids another attempt after a failure that could pass, if anything does."""
        if made >= self.config.attempts:
            return "no more attempts are allowed"
        if not self.config.idempotent and not was_not_done(answer):
            return "the call may have taken effect and is not idempotent"
        return ""

    async def _rest(self, seconds: float) -> None:
        try:
            await self._clock.sleep(seconds)
        except BaseException:
            if self._budget is not None:
                self._budget.give_back()
            raise


class Hedge:
    """Sends another request when the first one is slow, takes the first good answer and cancels the rest. For idempotent calls only.

    Hedges are paid from the retry budget: when a dependency is slow for everybody, doubling its load is the last thing it needs.

    Args:
        config: When and how many.
        idempotent: Has to be True: the caller's word that two requests do no more than one.
        budget: Shared with the retries of the process.

    Raises:
        ConfigurationError: `idempotent` is not True.
    """

    def __init__(self, config: HedgeConfig, *, idempotent: bool, budget: RetryBudget | None = None) -> None:
        if idempotent is not True:
            raise ConfigurationError(
                "only idempotent calls can be hedged: both requests may take effect",
                details={"setting": "idempotent", "value": repr(idempotent), "allowed": "True"},
            )
        self.config = config
        self._budget = budget

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The first good answer; if all requests fail, the error of the first one that did."""
        budget = self._budget
        if budget is None or budget in _paid.get():
            return await self._race(function, args, kwargs)
        with _paying(budget):
            return await self._race(function, args, kwargs)

    async def _race(self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        budget = self._budget
        running = {_start(function, args, kwargs)}
        first_error: BaseException | None = None
        hedges = 0
        try:
            while running:
                more = hedges < self.config.max_hedges
                limit = self.config.delay_seconds if more else None
                done, running = await asyncio.wait(running, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    error = each.exception() if not each.cancelled() else asyncio.CancelledError()
                    if error is None:
                        return each.result()
                    first_error = first_error or error
                if not done and (budget is None or budget.take()):
                    hedges += 1
                    running.add(_start(function, args, kwargs))
                elif not done:
                    hedges = self.config.max_hedges
        finally:
            await _end(running)
        raise cast("BaseException", first_error)


def _start(function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> asyncio.Task[R]:
    async def run() -> R:
        return await function(*args, **kwargs)

    return asyncio.create_task(run())


async def _end(tasks: set[asyncio.Task[R]]) -> None:
    """Cancel what is left and wait for its end, so that nothing outlives the call."""
    for each in tasks:
        each.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for each in tasks:
        if not each.cancelled() and (error := each.exception()) is not None:
            logger.debug("a hedged request that lost failed: %r", error)
