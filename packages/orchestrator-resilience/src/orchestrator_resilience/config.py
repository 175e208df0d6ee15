"""Settings as small frozen models, checked when they are made. Times in seconds, shares from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from orchestrator_resilience._validation import count, not_negative, one_of, positive, refuse, share

__all__ = [
    "BulkheadConfig",
    "CircuitBreakerConfig",
    "ErrorFilter",
    "HedgeConfig",
    "Jitter",
    "LimitKind",
    "OverflowStrategy",
    "QueueConfig",
    "RetryConfig",
    "ThrottleConfig",
    "WindowKind",
]

ErrorFilter: TypeAlias = type[BaseException] | Callable[[BaseException], bool]
"""A class of errors, or a function that answers whether this error is meant."""

WindowKind: TypeAlias = Literal["count", "time", "consecutive"]
Jitter: TypeAlias = Literal["full", "decorrelated"]
LimitKind: TypeAlias = Literal["fixed", "vegas", "gradient"]
OverflowStrategy: TypeAlias = Literal["block", "reject", "drop-oldest", "drop-newest", "adaptive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerConfig:
    """When a circuit opens, and how it closes again.

    Attributes:
        window: What is looked at: the last `window_calls` calls (`count`), the last `window_seconds` (`time`), or the failures in a
            row (`consecutive`).
        window_calls: Size of the count window.
        window_seconds: Length of the time window.
        minimum_calls: With fewer calls in the window, the rates are not judged.
        failure_rate: The circuit opens at this share of failures.
        consecutive_failures: The circuit opens at this many failures, or slow calls, in a row (`consecutive` only).
        slow_call_seconds: A call that takes longer is slow; None: time is not looked at.
        slow_call_rate: The circuit opens at this share of slow calls.
        recovery_seconds: How long an open circuit refuses all calls before it lets probes through.
        probes: How many calls a half-open circuit lets through in all, together or one by one. All of them good closes it; a bad one opens it.
        probe_lease_seconds: A probe that has not ended by then gives its place to another call, and its outcome no longer counts.
        included: If given, only these errors are failures; any other error is an answer, as good as a result.
        excluded: These errors are answers, not failures, also when they are included.
        failed_result: Answers whether a result that came without an error is a failure all the same.

    Raises:
        ConfigurationError: A value is out of range, or two contradict each other.
    """

    window: WindowKind = "count"
    window_calls: int = 100
    window_seconds: float = 60.0
    minimum_calls: int = 20
    failure_rate: float = 0.5
    consecutive_failures: int = 5
    slow_call_seconds: float | None = None
    slow_call_rate: float = 1.0
    recovery_seconds: float = 60.0
    probes: int = 3
    probe_lease_seconds: float = 60.0
    included: tuple[ErrorFilter, ...] | None = None
    excluded: tuple[ErrorFilter, ...] = ()
    failed_result: Callable[[object], bool] | None = None

    def __post_init__(self) -> None:
        one_of("window", self.window, ("count", "time", "consecutive"))
        for name in ("window_calls", "minimum_calls", "consecutive_failures", "probes"):
            count(name, getattr(self, name))
        for name in ("window_seconds", "recovery_seconds", "probe_lease_seconds"):
            positive(name, getattr(self, name))
        for name in ("failure_rate", "slow_call_rate"):
            share(name, getattr(self, name))
        if self.slow_call_seconds is not None:
            positive("slow_call_seconds", self.slow_call_seconds)
        if self.window == "count" and self.window_calls < self.minimum_calls:
            raise refuse(
                "window_calls",
                self.window_calls,
                f"at least minimum_calls ({self.minimum_calls}), or the rates are never judged",
            )
        for name in ("included", "excluded"):
            for entry in getattr(self, name) or ():
                if not callable(entry):
                    raise refuse(name, entry, "classes of errors, and functions that answer whether an error is meant")


RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """What is tried again, how often, and how long it may take.

    Attributes:
        attempts: Calls in all, the first one included; 1 never retries.
        base_seconds: The first backoff is drawn from 0 to this (`full`), or is at least this (`decorrelated`).
        max_seconds: No backoff is longer.
        jitter: `full`: from 0 to base x 2^n; `decorrelated`: from base to three times the one before. Source: Brooker, Exponential
            Backoff And Jitter.
        total_seconds: Everything together, attempts and backoffs, ends within this; None: only a deadline around it counts.
        attempt_seconds: Each attempt ends within this.
        max_retry_after_seconds: A server that asks for a longer pause is not asked again.
        retryable: Errors to retry besides those that say so themselves.
        never: Errors not to retry, whatever else is said.
        statuses: HTTP statuses to retry, on errors that carry one.
        retry_result: Answers whether a result that came without an error is to be fetched again.
        idempotent: Whether a call that may have been sent may be sent again. If not, only failures that happened before sending, and refusals
            that say that nothing was done (425, 429), are retried.

    Raises:
        ConfigurationError: A value is out of range, or two contradict each other.
    """

    attempts: int = 3
    base_seconds: float = 1.0
    max_seconds: float = 60.0
    jitter: Jitter = "full"
    total_seconds: float | None = None
    attempt_seconds: float | None = None
    max_retry_after_seconds: float = 60.0
    retryable: tuple[ErrorFilter, ...] = ()
    never: tuple[ErrorFilter, ...] = ()
    statuses: frozenset[int] = RETRYABLE_STATUSES
    retry_result: Callable[[object], bool] | None = None
    idempotent: bool = False

    def __post_init__(self) -> None:
        count("attempts", self.attempts)
        one_of("jitter", self.jitter, ("full", "decorrelated"))
        positive("base_seconds", self.base_seconds)
        positive("max_seconds", self.max_seconds)
        not_negative("max_retry_after_seconds", self.max_retry_after_seconds)
        for name in ("total_seconds", "attempt_seconds"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if self.max_seconds < self.base_seconds:
            raise refuse("max_seconds", self.max_seconds, f"at least base_seconds ({self.base_seconds:g})")
        if self.total_seconds is not None and self.total_seconds < (self.attempt_seconds or 0.0):
            raise refuse("total_seconds", self.total_seconds, f"at least attempt_seconds ({self.attempt_seconds:g})")
        for name in ("retryable", "never"):
            for entry in getattr(self, name):
                if not callable(entry):
                    raise refuse(name, entry, "classes of errors, and functions that answer whether an error is meant")


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeConfig:
    """When a second request is sent while the first one is still under way.

    Attributes:
        delay_seconds: How long to wait for an answer before the next request is sent; the p95 of the dependency is a good value.
        max_hedges: Additional requests at most.

    Raises:
        ConfigurationError: A value is out of range.
    """

    delay_seconds: float
    max_hedges: int = 1

    def __post_init__(self) -> None:
        positive("delay_seconds", self.delay_seconds)
        count("max_hedges", self.max_hedges)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadConfig:
    """How many calls to one dependency run together, and who waits.

    Attributes:
        kind: `fixed`: always `limit`; `vegas` and `gradient`: found from the times that calls take, starting at `limit`.
        limit: Calls that run together, at first.
        min_limit: An adaptive limit does not fall below.
        max_limit: An adaptive limit does not rise above.
        max_waiting: Calls that may wait for a place; the least important beyond them are shed.
        max_wait_seconds: No call waits longer; the deadline around it may end its wait before.
        overload_seconds: If calls have been waiting without a break for so long, the newest is served first: the oldest has
            the least of its time left.

    Raises:
        ConfigurationError: A value is out of range, or two contradict each other.
    """

    kind: LimitKind = "fixed"
    limit: int = 20
    min_limit: int = 1
    max_limit: int = 1000
    max_waiting: int = 100
    max_wait_seconds: float = 1.0
    overload_seconds: float = 0.1

    def __post_init__(self) -> None:
        one_of("kind", self.kind, ("fixed", "vegas", "gradient"))
        for name in ("limit", "min_limit", "max_limit"):
            count(name, getattr(self, name))
        count("max_waiting", self.max_waiting, least=0)
        positive("max_wait_seconds", self.max_wait_seconds)
        positive("overload_seconds", self.overload_seconds)
        if not self.min_limit <= self.limit <= self.max_limit:
            raise refuse("limit", self.limit, f"from min_limit ({self.min_limit}) to max_limit ({self.max_limit})")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """A bounded queue between those who make work and those who do it.

    Attributes:
        max_items: Items that it holds.
        max_bytes: Bytes that it holds, as its `size` function counts them; None: not counted.
        strategy: What happens to an item too many: `block` its producer, `reject` it, drop the oldest or the newest of the least important, or
            `adaptive`: block, but drop the oldest while the queue is overloaded.
        max_wait_seconds: How long a producer is blocked at most.
        target_seconds: While the queue is overloaded, items older than this are dropped.
        interval_seconds: A queue that has not been empty for so long is overloaded; items older than this are always dropped.

    Raises:
        ConfigurationError: A value is out of range, or two contradict each other.
    """

    max_items: int = 1000
    max_bytes: int | None = None
    strategy: OverflowStrategy = "block"
    max_wait_seconds: float = 30.0
    target_seconds: float = 5.0
    interval_seconds: float = 100.0

    def __post_init__(self) -> None:
        one_of("strategy", self.strategy, ("block", "reject", "drop-oldest", "drop-newest", "adaptive"))
        count("max_items", self.max_items)
        if self.max_bytes is not None:
            count("max_bytes", self.max_bytes)
        for name in ("max_wait_seconds", "target_seconds", "interval_seconds"):
            positive(name, getattr(self, name))
        if self.target_seconds > self.interval_seconds:
            raise refuse("target_seconds", self.target_seconds, f"at most interval_seconds ({self.interval_seconds:g})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleConfig:
    """Client-side throttling: what an overloaded dependency would refuse is not even sent.

    Attributes:
        window_seconds: How far back requests and acceptances are counted.
        ratio: Requests per accepted one that are sent on; lower sheds earlier.

    Raises:
        ConfigurationError: A value is out of range.
    """

    window_seconds: float = 120.0
    ratio: float = 2.0

    def __post_init__(self) -> None:
        positive("window_seconds", self.window_seconds)
        positive("ratio", self.ratio)
        if self.ratio < 1:
            raise refuse("ratio", self.ratio, "a number from 1 on")
