"""What one process allows by itself while the store that it shares with others cannot be asked: pure, the time is an argument.

Each of `nodes` processes gives away its share of a limit, so that together they give away the limit once. Three accounts are kept per key: what has
been used of the share, however often the store has come and gone; what the store has to be told of that when it is back; and what it
knows, which it has to be told as well if it comes back without its memory.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem

from orchestrator_resilience._rate_algorithms import Decision, decided
from orchestrator_resilience._rate_storage import make_algorithm

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Share:
    """One of `nodes` processes; the first ones, by `rank`, have what does not divide evenly."""

    nodes: int = 1
    rank: int = 0

    def of(self, limit: int) -> int:
        """This process's part of the limit, whole."""
        return limit // self.nodes + (self.rank < limit % self.nodes)


class SharedLimit:
    """One limit, with the accounts of this process.

    Args:
        strategy: As for `RateLimiter`.
        item: The limit.
        burst: As for `RateLimiter`.
    """

    def __init__(self, strategy: str, item: RateLimitItem, burst: int | None) -> None:
        self.strategy = strategy
        self.amount = item.amount
        self.period = float(item.get_expiry())
        self.burst = burst or item.amount
        self.words = (strategy, item.amount, round(self.period * 1e6), self.burst)
        """The limit as the store's script reads it."""
        self._local, self._untold, self._told = (make_algorithm(strategy, item, burst) for _ in range(3))

    def weight(self, share: Share) -> float:
        """How many units of the whole limit one unit of the share is; infinite if the share is none."""
        part = share.of(self.burst)
        # A little less, so that the last unit of the share is not lost to rounding.
        return self.burst / part * (1 - 1e-9) if part else math.inf

    def decide(self, key: Hashable, now: float, cost: int, share: Share, *, count: bool) -> Decision:
        """Decide within the share; count if allowed and asked to."""
        weight, part = self.weight(share), share.of(self.burst)
        if not part or cost > part:
            return decided(False, part, 0.0, self.period if cost <= self.burst else math.inf, part, 0.0)
        local = self._local
        decision = (local.hit if count else local.test)(key, now, cost * weight)
        if count and decision.allowed:
            self._untold.charge(key, now, cost)
        left = self.burst - local.used(key, now)
        return decided(decision.allowed, part, decision.reset_after, decision.retry_after, left / weight, 0.0)

    def allowed_by_store(self, key: Hashable, now: float, cost: int, share: Share) -> None:
        """What the store allows to this process is used of its share, and would be unknown to a store without its memory."""
        self._told.charge(key, now, cost)
        weight = self.weight(share)
        if weight < math.inf:
            self._local.charge(key, now, cost * weight)

    def debts(self, now: float, *, forgotten: bool) -> Iterator[tuple[Hashable, int]]:
        """What the store has to be told, per key: what was allowed without it, and all the rest if it has forgotten.

        It counts as told; `unpaid` takes that back.
        """
        for key in dict.fromkeys([*self._untold.keys(), *(self._told.keys() if forgotten else ())]):
            untold = self._untold.used(key, now)
            units = math.ceil(untold + (self._told.used(key, now) if forgotten else 0) - _ROUNDING)
            self._untold.clear(key)
            if untold:
                self._told.charge(key, now, untold)
            if units > 0:
                yield key, units

    def unpaid(self, key: Hashable, now: float, units: int) -> None:
        """The store could not be told."""
        self._untold.charge(key, now, units)

    def clear(self, key: Hashable | None = None) -> None:
        """Forget one key, or all."""
        for account in (self._local, self._untold, self._told):
            account.clear(key)


class SharedStorage(Protocol):
    """A store of rate limits that several processes share."""

    @property
    def shared(self) -> bool:
        """Whether the store decides at the moment, and not each process by itself."""
        ...

    def register(self, limit: SharedLimit) -> None:
        """Take a limiter's limit into the accounts, for as long as the limiter exists."""
        ...

    async def ready(self, seconds: float = 1.0) -> bool:
        """Connect, before the first decision has to; whether the store decides from now on. Waits no longer than told."""
        ...

    async def decide(
        self, limits: Sequence[SharedLimit], identity: tuple[str, ...], cost: int, *, count: bool = True
    ) -> list[Decision]:
        """The decision of each limit: counted by all of them, or by none; or not at all, only to look."""
        ...

    async def forget(self, limits: Sequence[SharedLimit], identity: tuple[str, ...]) -> None:
        """Forget what the identity has used."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...


def decide_alone(
    limits: Sequence[SharedLimit], key: Hashable, now: float, cost: int, share: Share, *, count: bool
) -> list[Decision]:
    """All limits together: counted by all of them, or by none."""
    tested = [each.decide(key, now, cost, share, count=False) for each in limits]
    if count and all(decision.allowed for decision in tested):
        return [each.decide(key, now, cost, share, count=True) for each in limits]
    return tested
