"""Retries that do not make an outage worse.

What the user types:

    retry = Retry(PRESETS["tts"], name="tts")
    voices = await retry.call(client.voices)

A retry is a request that nobody asked for, so it is paid from the process's budget: a tenth of the first attempts. The deadline of the
caller holds for all attempts and pauses together. Sources: Google SRE book, Handling Overload; Envoy's retry budget; Brooker, Exponential
Backoff And Jitter.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from orchestrator_kernel.exceptions import ExternalServiceError
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_resilience._context import current_deadline, scope
from orchestrator_resilience._hedge import Hedge
from orchestrator_resilience._retry_budget import Budget, RetryBudget, process_budget, resolve
from orchestrator_resilience._retry_rules import backoff, is_retryable, parse_retry_after, retry_after_of, was_not_done
from orchestrator_resilience._timeouts import TimeLimits
from orchestrator_resilience.config import RetryConfig
from orchestrator_resilience.deadlines import DeadlineExceeded, deadline, remaining
from orchestrator_resilience.events import Decision, DecisionObserver, tell

__all__ = [
    "PRESETS",
    "AttemptTimedOut",
    "Budget",
    "Hedge",
    "Retry",
    "RetryBudget",
    "is_retryable",
    "parse_retry_after",
    "process_budget",
]

P = ParamSpec("P")
R = TypeVar("R")

PRESETS: Mapping[str, RetryConfig] = MappingProxyType(
    {
        "database": RetryConfig(attempts=3, base_seconds=0.5, max_seconds=10.0),
        "external_api": RetryConfig(attempts=3, base_seconds=1.0, max_seconds=30.0),
        "connector": RetryConfig(attempts=5, base_seconds=2.0, max_seconds=60.0),
        "tts": RetryConfig(attempts=3, base_seconds=1.0, max_seconds=20.0),
        "redis": RetryConfig(attempts=2, base_seconds=0.1, max_seconds=1.0),
    }
)
"""By dependency. None of them says that the calls are idempotent: that is the caller's to know."""


class AttemptTimedOut(ExternalServiceError):
    """One attempt took longer than `attempt_seconds`."""

    default_code = "attempt_timed_out"
    default_status = 504


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What follows from a failure: the pause before the next attempt, or None and why there is none."""

    wait: float | None
    drawn: float
    decision: str
    why: str = ""


class Retry:
    """Calls again what failed in passing. The last error, or result, reaches the caller as it is, with a note why it was the last.

    Never retried are cancellations, refusals of an open circuit, and calls that may have taken effect unless they are idempotent.

    Args:
        config: What to retry and how long.
        name: The dependency, for observers.
        budget: The process's, unless given; with None, nothing but `config.attempts` bounds the retries.
        clock: Where `Retry-After` dates and pauses are measured.
        chance: Where jitter comes from.
        observers: Told of every retry, and why there was no further one.
    """

    def __init__(
        self,
        config: RetryConfig | None = None,
        *,
        name: str = "",
        budget: Budget = "process",
        clock: Clock | None = None,
        chance: random.Random | None = None,
        observers: Iterable[DecisionObserver] = (),
    ) -> None:
        self.config = config or RetryConfig()
        self.name = name
        self._budget = resolve(budget)
        self._own = () if self._budget is None else (self._budget,)
        self._clock = clock or SystemClock()
        self._chance = chance or random.Random()
        self._observers = tuple(observers)
        seconds = self.config.attempt_seconds
        self._limits = None if seconds is None else TimeLimits(seconds)
        self._plain = (
            self.config.total_seconds is None
            and self.config.attempt_seconds is None
            and self.config.retry_result is None
        )

    def with_idempotency_key(self) -> Retry:
        """The same policy for calls that carry an idempotency key: the server recognises a repetition, so it may be sent again."""
        return Retry(
            replace(self.config, idempotent=True),
            name=self.name,
            budget=self._budget,
            clock=self._clock,
            chance=self._chance,
            observers=self._observers,
        )

    def __call__(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        """Decorate a coroutine function."""

        @functools.wraps(function)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            return await self.call(function, *args, **kwargs)

        return retried

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `function(*args, **kwargs)`, again if need be.

        Raises:
            DeadlineExceeded: `total_seconds`, or the deadline around the call, ended while an attempt was under way or before one.
            AttemptTimedOut: The last attempt took too long.
        """
        budget, token = self._budget, None
        end, budgets = scope.get()
        if budget is not None and (not budgets or budget not in budgets):
            budget.first_attempts += 1
            token = scope.set((end, (*budgets, budget) if budgets else self._own))
        try:
            if self.config.total_seconds is not None:
                async with deadline(self.config.total_seconds):
                    return await self._attempts(function, args, kwargs, 0, 0.0)
            if not self._plain:
                return await self._attempts(function, args, kwargs, 0, 0.0)
            if end is not None:
                _check_deadline()
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                verdict = self._judge(error, 1, 0.0)
                if verdict.wait is None:
                    raise
            await self._rest(verdict.wait)
            return await self._attempts(function, args, kwargs, 1, verdict.drawn)
        finally:
            if token is not None:
                scope.reset(token)

    async def _attempts(
        self,
        function: Callable[..., Awaitable[R]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        made: int,
        drawn: float,
    ) -> R:
        """All attempts that follow the `made` ones."""
        unwanted = self.config.retry_result
        while True:
            _check_deadline()
            made += 1
            try:
                result = await self._attempt(function, args, kwargs)
            except Exception as error:
                verdict = self._judge(error, made, drawn)
                if verdict.wait is None:
                    raise
            else:
                if unwanted is None or not unwanted(result):
                    if made > 1:
                        self._tell("recovered")
                    return result
                verdict = self._judge_answer(result, made, drawn)
                if verdict.wait is None:
                    self._tell(verdict.decision)
                    return result
            drawn = verdict.drawn
            await self._rest(verdict.wait)

    async def _attempt(self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        # First of all the call: if it fails before it can be awaited, no limit must be left running.
        pending, limits = function(*args, **kwargs), self._limits
        return await (pending if limits is None else limits.bound(limits.begin(), pending, self._took_too_long))

    def _took_too_long(self) -> AttemptTimedOut:
        return AttemptTimedOut(f"an attempt took longer than {self.config.attempt_seconds:g} s")

    def _judge(self, error: Exception, made: int, drawn: float) -> _Verdict:
        """What follows from an error. If it is the last one, it gets a note and the observers are told."""
        if not is_retryable(error, self.config):
            verdict = _Verdict(None, drawn, "not_retryable", "the error is not one that a retry can mend")
        else:
            verdict = self._judge_answer(error, made, drawn)
        if verdict.wait is None:
            self._tell(verdict.decision)
            if made > 1 or verdict.decision != "not_retryable":
                _note(error, f"not tried again after {made} attempt{'s' * (made > 1)}: {verdict.why}")
        return verdict

    def _judge_answer(self, answer: object, made: int, drawn: float) -> _Verdict:
        """What follows from a failure, an error or a result, that may pass. Takes the retry out of the budget."""
        config = self.config
        if made >= config.attempts:
            return _Verdict(None, drawn, "attempts_spent", "no more attempts are allowed")
        if not config.idempotent and not was_not_done(answer):
            return _Verdict(None, drawn, "not_idempotent", "the call may have taken effect and is not idempotent")
        asked = retry_after_of(answer, self._clock.now()) or 0.0
        if asked > config.max_retry_after_seconds:
            why = f"the server asked for a pause of {asked:g} s"
            return _Verdict(None, drawn, "asked_to_wait_too_long", why)
        drawn = backoff(config, made, drawn, self._chance)
        # On top of what was asked for: all who were told the same time must not come back at the same time.
        wait, left = asked + drawn, remaining()
        if left is not None and wait >= left:
            return _Verdict(None, drawn, "deadline", "the deadline comes before the next attempt")
        if self._budget is not None and not self._budget.take():
            return _Verdict(None, drawn, "budget_spent", "the retry budget is spent")
        return _Verdict(wait, drawn, "retried")

    async def _rest(self, seconds: float) -> None:
        self._tell("retried", seconds)
        try:
            await self._clock.sleep(seconds)
        except BaseException:
            if self._budget is not None:
                self._budget.give_back()
            raise

    def _tell(self, decision: str, seconds: float | None = None) -> None:
        if self._observers:
            tell(self._observers, Decision("retry", self.name, decision, seconds))


def _check_deadline() -> None:
    """A task that outlives the one with the timer is not cancelled by it, and a loop that was blocked is late."""
    end = current_deadline.get()
    if end is not None and end <= asyncio.get_running_loop().time():
        raise DeadlineExceeded("no time is left for an attempt")


def _note(error: BaseException, note: str) -> None:
    """An error that is raised again and again, as some libraries do with one object, must not grow with every call."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
