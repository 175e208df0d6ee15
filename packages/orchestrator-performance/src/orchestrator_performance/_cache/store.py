"""The first level: entries in the process, within their limits. No I/O, the clock is the caller's.

A hit reads `table` and nothing else. Everything that changes the store goes through its lock, so threads may share one. What takes long
with many entries (expired ones, tables that were cleared) is done piece by piece by `sweep`.
"""

from __future__ import annotations

import heapq
import random
import sys
import threading
from collections import deque
from collections.abc import Callable, Hashable
from time import perf_counter
from typing import Any, Final, cast

from orchestrator_performance._cache.config import CacheConfig
from orchestrator_performance._cache.entry import NEVER, Entry
from orchestrator_performance._cache.freshness import CALM_SPANS, Verdict, judge, lifetime
from orchestrator_performance._cache.policy import TinyLfu
from orchestrator_performance._cache.stats import CacheStats

__all__ = ["ITEM_BYTES", "Room", "Store"]

ITEM_BYTES: Final = 400
"""What an entry weighs besides its value, about: the entry itself, its places in the tables, its key."""

_BUCKET: Final = 1.0
_LOOK: Final = 32
_SPARE, _LARGE = 2, 512 * 1024
_TOGETHER: Final = 8192
"""How many entries a dictionary holds that is given back to the system as a whole: more would take a millisecond."""


class Room:
    """The limits that several stores share. Who takes the most gives way."""

    def __init__(self, config: CacheConfig) -> None:
        self._max_items = config.max_items
        self._max_bytes = config.max_bytes
        self.items = 0
        self.bytes = 0
        self.stores: list[Store] = []
        self.lock = threading.RLock()

    @property
    def full(self) -> bool:
        return self.items > self._max_items or self.bytes > self._max_bytes

    def shrink_to(self, bytes_left: int, seconds: float = 0.0005) -> bool:
        """Evict for about so long; True when there are still more bytes than this."""
        until = perf_counter() + seconds
        with self.lock:
            while self.bytes > bytes_left:
                for _ in range(_LOOK):
                    if not self._heaviest().evict():
                        return False
                if perf_counter() >= until:
                    return self.bytes > bytes_left
        return False

    def make(self) -> None:
        """Evict until the rest fits."""
        while self.full:
            if not self._heaviest().evict():
                return

    def _heaviest(self) -> Store:
        if len(self.stores) == 1:
            return self.stores[0]
        return max(self.stores, key=lambda each: max(each.items / self._max_items, each.bytes / self._max_bytes))


class Store:
    """The entries of one cache, or of one partition of it."""

    def __init__(
        self,
        config: CacheConfig,
        room: Room,
        *,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._room = room
        self._roll = roll
        self._policy = TinyLfu(config.max_items)
        self.lock = room.lock
        self.stats = CacheStats()
        self.bytes = 0
        self._entered = 0
        self._moment = 0
        """Counts loads and invalidations, to tell which came first."""
        self._cleared = 0
        self._closed = False
        self._longest = config.ttl + config.grace
        self._discarded: list[dict[Any, Any]] = []
        self._spare: list[dict[Any, Any]] = []
        self.table: dict[Hashable, Entry] = {}
        self.names: dict[str, Entry] = {}
        """By their names in the second level, where there is one."""
        self._fresh_tables()
        room.stores.append(self)

    def _fresh_tables(self) -> None:
        self._policy.empty()
        self._buckets: dict[int, list[dict[Entry, None]]] = {}
        self._due: list[int] = []
        self._tagged: dict[str, int] = {}
        self._tag_times: deque[tuple[float, str, int]] = deque()

    @property
    def items(self) -> int:
        return len(self.table)

    # -- reading

    def look(self, entry: Entry, now: float) -> Verdict:
        """What to do with an entry that is not calm; one that is gone is removed."""
        if entry.tags and any(self._tagged.get(tag, -1) >= entry.stamp for tag in entry.tags):
            self._drop(entry)
            self.stats.invalidated += 1
            return Verdict.GONE
        verdict = judge(
            now,
            entry.fresh,
            cost=entry.cost,
            beta=self._config.early,
            roll=self._roll(),
            revalidate=self._config.stale_while_revalidate,
            if_error=self._config.stale_if_error,
        )
        if verdict is Verdict.GONE:
            self._drop(entry)
            self.stats.expired += 1
        return verdict

    def moment(self) -> int:
        """A stamp for a load that begins now."""
        self._moment += 1
        return self._moment

    # -- writing

    def put(
        self,
        key: Hashable,
        value: object,
        *,
        now: float,
        weight: int,
        ttl: float,
        cost: float = 0.0,
        tags: tuple[str, ...] = (),
        stamp: int | None = None,
        name: str = "",
        jitter: float | None = None,
        grace: float | None = None,
    ) -> bool:
        """Keep a value; False if it was refused: too heavy, or invalidated since its load began (`stamp`)."""
        with self.lock:
            if self._closed:
                return False
            if weight > self._config.max_value_bytes:
                self.stats.refused += 1
                self._forget(key)
                return False
            stamp = self.moment() if stamp is None else stamp
            if stamp < self._cleared or any(self._tagged.get(tag, -1) >= stamp for tag in tags):
                return False
            jitter = self._config.jitter if jitter is None else jitter
            fresh = now + lifetime(ttl, jitter, self._roll() if jitter else 0.0)
            last = fresh + (self._config.grace if grace is None else grace)
            # Tagged entries are looked at each time; the others only when their time comes near.
            calm = NEVER if tags else fresh - CALM_SPANS * cost * self._config.early
            entry = Entry(
                key,
                value,
                weight=weight + ITEM_BYTES,
                fresh=fresh,
                last=last,
                calm=calm,
                cost=cost,
                tags=tags,
                stamp=stamp,
                name=name,
                negative=value is None,
            )
            self._enter(entry, now)
            self._room.make()
            return self.table.get(key) is entry

    def _enter(self, entry: Entry, now: float) -> None:
        self._policy.asked = self.stats.hits
        old = self.table.get(entry.key)
        if old is None:
            self._entered += 1
            self._policy.insert(entry, self._entered)
        else:
            self._policy.replace(old, entry)
            self._unlist(old)
        self.table[entry.key] = entry
        self.bytes += entry.weight
        self._room.bytes += entry.weight
        self._room.items += 1
        if entry.name:
            self.names[entry.name] = entry
        self._longest = max(self._longest, entry.last - now)
        self._put_into_bucket(entry)
        self._expire(now, 2)

    def _put_into_bucket(self, entry: Entry) -> None:
        """With those whose time ends in the same second."""
        due = int(entry.last / _BUCKET) + 1
        buckets = self._buckets.get(due)
        if buckets is None:
            buckets = self._buckets[due] = [{}]
            heapq.heappush(self._due, due)
        elif len(buckets[-1]) >= _TOGETHER:
            buckets.append({})
        entry.bucket = buckets[-1]
        entry.bucket[entry] = None

    def forget(self, key: Hashable) -> bool:
        """Remove a key; whether it was there."""
        with self.lock:
            return self._forget(key)

    def _forget(self, key: Hashable) -> bool:
        entry = self.table.get(key)
        if entry is None:
            return False
        self._drop(entry)
        self.stats.invalidated += 1
        return True

    def invalidate(self, tags: tuple[str, ...], now: float) -> None:
        """Believe nothing any more that carries one of the tags, nor what is being loaded under them."""
        with self.lock:
            moment = self.moment()
            for tag in tags:
                self._tagged[tag] = moment
                self._tag_times.append((now, tag, moment))

    def clear(self) -> None:
        """Forget everything at once; the memory is given back by `sweep`."""
        with self.lock:
            self.stats.invalidated += self.items
            self._cleared = self.moment()
            self._discard()

    def _discard(self) -> None:
        self._room.items -= self.items
        self._room.bytes -= self.bytes
        self.bytes = 0
        self._discarded += [self.table, self._buckets, self.names]
        # A large dictionary is not given back but used again: that takes no time.
        self.table = self._spare.pop() if self._spare else {}
        self.names = self._spare.pop() if self._spare else {}
        self._fresh_tables()

    def close(self) -> None:
        """Forget everything, and take no part in the shared room any more."""
        with self.lock:
            self._discard()
            self._closed = True
            if self in self._room.stores:
                self._room.stores.remove(self)

    def evict(self) -> bool:
        """Make room by one entry; False when there is none."""
        with self.lock:
            entry = self._policy.victim()
            if entry is None:
                return False
            self._policy.gone(entry)
            self._unlist(entry)
            del self.table[entry.key]
            self.stats.evicted += 1
            return True

    def _drop(self, entry: Entry) -> None:
        with self.lock:
            if self.table.get(entry.key) is not entry:
                return
            self._policy.remove(entry)
            self._unlist(entry)
            del self.table[entry.key]

    def _unlist(self, entry: Entry) -> None:
        """Take it out of everything but the table and the policy."""
        self._room.items -= 1
        self._room.bytes -= entry.weight
        self.bytes -= entry.weight
        if entry.bucket is not None:
            entry.bucket.pop(entry, None)
            entry.bucket = None
        if entry.name and self.names.get(entry.name) is entry:
            del self.names[entry.name]

    # -- what is done piece by piece

    def sweep(self, now: float, seconds: float = 0.0005) -> bool:
        """Remove what has expired, for about this long; True when there is more."""
        until = perf_counter() + seconds
        while True:
            with self.lock:
                more = self._free() or self._expire(now, _LOOK) or (self._room.full and self.evict())
                more = self._forget_tags(now) or more
            if not more:
                return False
            if perf_counter() >= until:
                return True

    def _free(self) -> bool:
        """Give back some of what was cleared."""
        if not self._discarded:
            return False
        table = self._discarded[-1]
        for _ in range(_LOOK):
            if not table:
                self._discarded.pop()
                if sys.getsizeof(table) > _LARGE and len(self._spare) < _SPARE and not self._closed:
                    self._spare.append(table)
                break
            _, value = table.popitem()
            if isinstance(value, Entry):
                value.before = value.after = value.chain = value.bucket = None
            elif isinstance(value, list):
                self._discarded += cast("list[dict[Any, Any]]", value)
                break
        return True

    def _expire(self, now: float, count: int) -> bool:
        """Remove up to so many entries whose time is over; True when there may be more."""
        due = int(now / _BUCKET)
        while self._due and self._due[0] <= due:
            buckets = self._buckets[self._due[0]]
            while buckets:
                if count <= 0:
                    return True
                count -= 1
                if not buckets[-1]:
                    buckets.pop()
                    continue
                entry, _ = buckets[-1].popitem()
                entry.bucket = None
                self._policy.remove(entry)
                self._unlist(entry)
                del self.table[entry.key]
                self.stats.expired += 1
            del self._buckets[heapq.heappop(self._due)]
        return False

    def _forget_tags(self, now: float) -> bool:
        """Forget invalidations that are older than every entry and every load."""
        for _ in range(_LOOK):
            if not self._tag_times or self._tag_times[0][0] + self._longest + self._config.load_seconds >= now:
                return False
            _, tag, moment = self._tag_times.popleft()
            if self._tagged.get(tag) == moment:
                del self._tagged[tag]
        return True
