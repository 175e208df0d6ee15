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

import importlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal, TypeAlias, cast

import limits.errors
from limits import RateLimitItem, parse_many
from limits.storage import storage_from_string

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock
from orchestrator_resilience._local_share import SharedLimit, SharedStorage
from orchestrator_resilience._rate_algorithms import Algorithm, Decision
from orchestrator_resilience._rate_storage import STRATEGIES, MonotonicStorage, make_algorithm
from orchestrator_resilience._validation import count, one_of, refuse

__all__ = [
    "Decision",
    "MonotonicStorage",
    "RateLimiter",
    "SharedStorage",
    "Strategy",
    "open_storage",
    "parse_limits",
]

Strategy: TypeAlias = Literal["gcra", "token-bucket", "fixed-window", "sliding-window", "sliding-window-counter"]

_SHARED = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis", "valkeys": "rediss"}
_STORAGES = "async+monotonic://, redis://, rediss://, unix://, valkey://"
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


def open_storage(uri: str, *, clock: Clock | None = None, **options: Any) -> MonotonicStorage | SharedStorage:
    """The storage that limits has registered for the URI's scheme. Give one object to all limiters of a process.

    `async+monotonic://` counts in this process. `redis://`, `rediss://`, `unix://` and `valkey://` (extra `[redis]`) are shared by all processes
    with the same `prefix`; other options are `time_limit_seconds` of a decision, `expected_nodes`, `settle_seconds` and `observers`, as
    `RedisRates` explains them. A store that cannot be reached is no error: each process then gives away its part of every limit.

    Raises:
        ConfigurationError: limits knows no such scheme, the storage is not one that decides in one step, or an option is none.
    """
    scheme = uri.partition("://")[0]
    if scheme in _SHARED:
        _load_driver(scheme)
        uri = f"async+shared+{_SHARED[scheme]}{uri.removeprefix(scheme)}"
    if clock is not None:
        options["clock"] = clock
    try:
        storage: object = storage_from_string(uri, **options)
    except (limits.errors.ConfigurationError, TypeError):
        raise refuse("storage", scheme, _STORAGES) from None
    if not isinstance(storage, MonotonicStorage) and not hasattr(storage, "decide"):
        raise refuse("storage", scheme, _STORAGES)
    return cast("MonotonicStorage | SharedStorage", storage)


def _load_driver(scheme: str) -> None:
    try:
        importlib.import_module("orchestrator_resilience._drivers.redis_rates")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "redis":
            raise
        raise ConfigurationError(
            f"a storage at {scheme}:// needs the extra: pip install 'orchestrator-resilience[redis]'",
            details={"setting": "storage", "value": scheme},
        ) from None


def tightest(decisions: Sequence[Decision]) -> int:
    """Which of several decisions to tell the sender: the refusal that lasts longest, or else the one with the least left."""
    refused = [place for place, each in enumerate(decisions) if not each.allowed]
    if refused:
        return max(refused, key=lambda place: decisions[place].retry_after)
    return min(range(len(decisions)), key=lambda place: decisions[place].remaining)


def _key(identity: tuple[str, ...]) -> Hashable:
    # A string knows its hash; a tuple works it out every time.
    return identity[0] if len(identity) == 1 else identity


class RateLimiter:
    """One or more limits that hold together, for many identities. Safe to use from several threads and loops.

    Args:
        limits: In limits' notation.
        strategy: `gcra` (units come back evenly), `token-bucket` (the same, seen as tokens), `fixed-window`, `sliding-window` (exact, one entry
            per request) or `sliding-window-counter` (nearly exact, three numbers).
        burst: For `gcra` and `token-bucket`: how many units can be taken at once; the amount of the limit unless given.
        storage: The URI of a storage, or one that `open_storage` has opened.
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
        storage: str | MonotonicStorage | SharedStorage = "async+monotonic://",
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
        self.storage = open_storage(storage, clock=clock) if isinstance(storage, str) else storage
        self._memory: MonotonicStorage | None = None
        self._algorithms: list[Algorithm[Any]] = []
        self._shared: list[SharedLimit] = []
        if isinstance(self.storage, MonotonicStorage):
            self._memory = self.storage
            self._lock, self._monotonic = self.storage.lock, self.storage.monotonic
            self._algorithms = [make_algorithm(strategy, item, burst) for item in self.items]
        else:
            self._shared = [SharedLimit(strategy, item, burst) for item in self.items]
            for limit in self._shared:
                self.storage.register(limit)
        alone = len(self._algorithms) == 1 and type(self.storage) is MonotonicStorage
        self._only = self._algorithms[0] if alone else None

    async def hit(self, *identity: str, cost: int = 1) -> Decision:
        """Ask for `cost` units for the identity. Counted if allowed, by all limits or by none."""
        decisions = await self.decide(identity, cost)
        return decisions[tightest(decisions)]

    def hit_now(self, *identity: str, cost: int = 1) -> Decision:
        """`hit` without an event loop, for limits that are counted in this process.

        Raises:
            ConfigurationError: The storage is shared.
        """
        only = self._only
        if cost >= 1 and only is not None:
            with self._lock:
                return only.hit(identity[0] if len(identity) == 1 else identity, self._monotonic(), cost)
        decisions = self._decide_now(self._in_memory(), identity, cost)
        return decisions[tightest(decisions)]

    def hitter(self, *identity: str) -> Callable[[], Decision]:
        """`hit_now` with cost 1 for one identity that never changes, looked up beforehand."""
        memory, only = self._in_memory(), self._only
        if only is None:
            return lambda: self.hit_now(*identity)
        hit, monotonic, lock, key = only.hit, memory.monotonic, memory.lock, _key(identity)

        def hit_one() -> Decision:
            with lock:
                return hit(key, monotonic())

        return hit_one

    async def decide(self, identity: tuple[str, ...], cost: int = 1) -> list[Decision]:
        """The decision of each limit, in the order of `items`."""
        if self._memory is not None:
            return self._decide_now(self._memory, identity, cost)
        if cost < 1:
            raise refuse("cost", cost, "a whole number from 1 on")
        return await cast("SharedStorage", self.storage).decide(self._shared, identity, cost)

    async def look(self, *identity: str) -> list[Decision]:
        """What a request of the identity would be told by each limit, in the order of `items`; nothing is counted."""
        if self._memory is not None:
            return self._memory.decide(self._algorithms, _key(identity), 1, count=False)
        return await cast("SharedStorage", self.storage).decide(self._shared, identity, 1, count=False)

    def _decide_now(self, memory: MonotonicStorage, identity: tuple[str, ...], cost: int) -> list[Decision]:
        if cost < 1:
            raise refuse("cost", cost, "a whole number from 1 on")
        return memory.decide(self._algorithms, _key(identity), cost)

    def _in_memory(self) -> MonotonicStorage:
        if self._memory is None:
            raise ConfigurationError(
                "limits in a shared storage are decided with `await limiter.hit(...)`", details={"setting": "storage"}
            )
        return self._memory

    def reset(self, *identity: str) -> None:
        """Forget, in this process, what the identity has used; without one, what everybody has."""
        for each in self._algorithms:
            each.clear(_key(identity) if identity else None)
        for limit in self._shared:
            limit.clear(identity or None)

    async def forget(self, *identity: str) -> None:
        """Forget what the identity has used, in a shared storage as well.

        Raises:
            StoreLost: The shared storage cannot be told.
        """
        self.reset(*identity)
        if self._memory is None:
            await cast("SharedStorage", self.storage).forget(self._shared, identity)

    async def aclose(self) -> None:
        """Close a shared storage; nothing else holds anything."""
        if self._memory is None:
            await cast("SharedStorage", self.storage).aclose()

    @property
    def keys(self) -> int:
        """Identities that this process remembers at the moment."""
        return max((len(each) for each in self._algorithms), default=0)
