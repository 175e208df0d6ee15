"""Rate limits in limits' notation, decided in one step.

What the user types:

    limiter = RateLimiter("10/second; 500/minute")
    decision = await limiter.hit("tenant-7")
    if not decision.allowed:
        ...                      # come back in decision.retry_after seconds

limits is the engine: its notation, its items and its storages, chosen by URI. In the process, time is monotonic, a refused request is not
counted, and several limits are decided together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import limits.errors
from limits import RateLimitItem, parse_many
from limits.storage import storage_from_string

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock
from orchestrator_resilience._rate_algorithms import Algorithm, Decision
from orchestrator_resilience._rate_storage import STRATEGIES, MonotonicStorage, make_algorithm
from orchestrator_resilience._validation import count, one_of, refuse

__all__ = ["Decision", "MonotonicStorage", "RateLimiter", "Strategy", "parse_limits"]

Strategy: TypeAlias = Literal["gcra", "token-bucket", "fixed-window", "sliding-window", "sliding-window-counter"]

_NOTATION = "limits such as '10/second', '500 per 2 minutes', '10/second; 500/minute'"


def parse_limits(text: str) -> tuple[RateLimitItem, ...]:
    """The limits in a string, in limits' notation.

    >>> parse_limits("10/second; 500 per 2 minutes")
    (10 per 1 second, 500 per 2 minute)

    Raises:
        ConfigurationError: The string is not in that notation, or a limit allows nothing.
    """
    try:
        items = tuple(parse_many(text))
    except (ValueError, TypeError):
        raise refuse("limits", text, _NOTATION) from None
    if any(item.amount < 1 or item.multiples < 1 for item in items):
        raise refuse("limits", text, _NOTATION)
    return items


def open_storage(uri: str, clock: Clock | None) -> MonotonicStorage:
    """The storage that limits has registered for the URI's scheme.

    Raises:
        ConfigurationError: limits knows no such scheme, or the storage is not one that decides in one step.
    """
    options: dict[str, Any] = {} if clock is None else {"clock": clock}
    try:
        storage = storage_from_string(uri, **options)
    except (limits.errors.ConfigurationError, TypeError):
        raise refuse("storage", uri.partition("://")[0], "async+monotonic://") from None
    if not isinstance(storage, MonotonicStorage):
        raise refuse("storage", uri.partition("://")[0], "async+monotonic://")
    return storage


def tightest(decisions: Sequence[Decision]) -> int:
    """Which of several decisions to tell the sender: the refusal that lasts longest, or else the one with the least left."""
    refused = [place for place, each in enumerate(decisions) if not each.allowed]
    if refused:
        return max(refused, key=lambda place: decisions[place].retry_after)
    return min(range(len(decisions)), key=lambda place: decisions[place].remaining)


class RateLimiter:
    """One or more limits that hold together, for many identities. Safe to use from several threads and loops.

    Args:
        limits: In limits' notation.
        strategy: `gcra` (units come back evenly), `token-bucket` (the same, seen as tokens), `fixed-window`, `sliding-window` (exact, one entry
            per request) or `sliding-window-counter` (nearly exact, three numbers).
        burst: For `gcra` and `token-bucket`: how many units can be taken at once; the amount of the limit unless given.
        storage: The URI of a storage.
        clock: Where time comes from.

    Raises:
        ConfigurationError: A limit, strategy, burst or storage is none.
    """

    def __init__(
        self,
        limits: str,
        *,
        strategy: Strategy = "gcra",
        burst: int | None = None,
        storage: str | MonotonicStorage = "async+monotonic://",
        clock: Clock | None = None,
    ) -> None:
        one_of("strategy", strategy, STRATEGIES)
        self.items = parse_limits(limits)
        if burst is not None:
            count("burst", burst)
            if strategy not in {"gcra", "token-bucket"} or len(self.items) > 1:
                raise ConfigurationError(
                    "burst goes with one limit of strategy gcra or token-bucket",
                    details={"setting": "burst", "value": burst},
                )
        self.storage = open_storage(storage, clock) if isinstance(storage, str) else storage
        self._algorithms: list[Algorithm[Any]] = [make_algorithm(strategy, item, burst) for item in self.items]
        self._only = self._algorithms[0] if len(self.items) == 1 and type(self.storage) is MonotonicStorage else None

    async def hit(self, *identity: str, cost: int = 1) -> Decision:
        """Ask for `cost` units for the identity. Counted if allowed, by all limits or by none."""
        return self.hit_now(*identity, cost=cost)

    def hit_now(self, *identity: str, cost: int = 1) -> Decision:
        """`hit` without an event loop."""
        if cost >= 1 and self._only is not None:
            with self.storage.lock:
                return self._only.hit(identity, self.storage.monotonic(), cost)
        decisions = self.decide(identity, cost)
        return decisions[tightest(decisions)]

    def hitter(self, *identity: str) -> Callable[[], Decision]:
        """`hit_now` with cost 1 for one identity that never changes, looked up beforehand."""
        only = self._only
        if only is None:
            return lambda: self.hit_now(*identity)
        hit, monotonic, lock = only.hit, self.storage.monotonic, self.storage.lock

        def hit_one() -> Decision:
            with lock:
                return hit(identity, monotonic())

        return hit_one

    def decide(self, identity: tuple[str, ...], cost: int = 1) -> list[Decision]:
        """The decision of each limit, in the order of `items`."""
        if cost < 1:
            raise refuse("cost", cost, "a whole number from 1 on")
        return self.storage.decide(self._algorithms, identity, cost)

    def reset(self, *identity: str) -> None:
        """Forget what the identity has used; without one, forget everybody."""
        for each in self._algorithms:
            each.clear(identity or None)

    @property
    def keys(self) -> int:
        """Identities that are remembered at the moment."""
        return max(len(each) for each in self._algorithms)
