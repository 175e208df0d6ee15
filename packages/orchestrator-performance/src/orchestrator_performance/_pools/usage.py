"""Who uses a pool, who waits for it, and for how long. Pure but for the clock."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
import traceback
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_performance._timing import Timing

__all__ = ["Held", "Lease", "PoolClosed", "PoolStats", "Slots", "Usage"]

_STACK: Final = 16
_DEEPEST: Final = 100
_OURS: Final = str(Path(__file__).parent.parent)
_LIBRARIES: Final = ("site-packages", "/asyncio/", "/contextlib.py")


class PoolClosed(OrchestratorError):
    """The pool is being closed, or is not open."""

    default_code = "pool_closed"
    default_status = 503
    default_retryable = True


@dataclass(frozen=True, slots=True)
class Held:
    """A connection that somebody has.

    Attributes:
        pool: The pool's name.
        seconds: For how long.
        task: The name of the task that took it.
        stack: Where it was taken, innermost last, as `file:line function`; empty unless the pool keeps stacks.
    """

    pool: str
    seconds: float
    task: str
    stack: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """A pool at one moment. Seconds.

    Attributes:
        size: How many connections may be in use.
        in_use: How many are.
        idle: Connected and free; None where the client does not tell (HTTP).
        waiting: Callers in line.
        acquired: How often one was given away, since the pool was made.
        timeouts: How often nobody got one in time.
        failures: How often a connection could not be made.
        leaking: Held for longer than `hold_seconds`.
        wait_p50: Median of the time that callers waited.
        wait_p99: 99th percentile.
        wait_max: Longest.
    """

    name: str
    kind: str
    size: int
    in_use: int
    idle: int | None
    waiting: int
    acquired: int
    timeouts: int
    failures: int
    leaking: int
    wait_p50: float
    wait_p99: float
    wait_max: float


class Lease:
    """A place in the pool, from the moment somebody has it until it is given back, once."""

    __slots__ = ("_usage", "since", "stack", "task")

    def __init__(self, usage: Usage, *, stack: bool) -> None:
        self._usage: Usage | None = usage
        self.since = time.monotonic()
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        self.task = task.get_name() if task is not None else "no task"
        self.stack = _here() if stack else ()

    def release(self) -> None:
        """Give the place back; harmless when it was."""
        usage, self._usage = self._usage, None
        if usage is not None:
            usage.ended(self)


def _here() -> tuple[str, ...]:
    """Where this is called from, without the frames of libraries, unless there are no others."""
    chain = [traceback.walk_stack(None)]
    # SQLAlchemy runs its pool in a greenlet, whose frames end where the caller's begin.
    greenlet: Any = sys.modules.get("greenlet")
    parent = greenlet.getcurrent().parent if greenlet is not None else None
    while parent is not None:
        chain.append(traceback.walk_stack(parent.gr_frame) if parent.gr_frame is not None else iter(()))
        parent = parent.parent
    frames = traceback.StackSummary.extract(itertools.chain(*chain), limit=_DEEPEST, lookup_lines=False)
    told = [each for each in frames if _OURS not in each.filename]
    callers = [each for each in told if not any(library in each.filename for library in _LIBRARIES)]
    kept = (callers or told)[:_STACK]
    return tuple(f"{each.filename}:{each.lineno} {each.name}" for each in reversed(kept))


class Usage:
    """The books of one pool."""

    def __init__(self, name: str, kind: str, size: int, *, hold_seconds: float, stacks: bool = False) -> None:
        self.name = name
        self.kind = kind
        self.size = size
        self.hold_seconds = hold_seconds
        self.stacks = stacks
        self.waiting = 0
        self.acquired = 0
        self.timeouts = 0
        self.failures = 0
        self.waits = Timing()
        self._held: dict[Lease, None] = {}
        self._told: set[Lease] = set()

    @property
    def in_use(self) -> int:
        """How many places are taken."""
        return len(self._held)

    def taken(self, waited: float) -> Lease:
        """Somebody has a place, after so many seconds."""
        self.acquired += 1
        self.waits.record(waited)
        lease = Lease(self, stack=self.stacks)
        self._held[lease] = None
        return lease

    def ended(self, lease: Lease) -> None:
        """The place is free again; called by the lease."""
        self._held.pop(lease, None)
        self._told.discard(lease)

    def leaks(self, *, new: bool = False) -> list[Held]:
        """Who keeps a connection for too long; `new` leaves out those told before."""
        now = time.monotonic()
        found: list[Held] = []
        # The oldest stand first.
        for lease in self._held:
            seconds = now - lease.since
            if seconds <= self.hold_seconds:
                break
            if new and lease in self._told:
                continue
            if new:
                self._told.add(lease)
            found.append(Held(self.name, seconds, lease.task, lease.stack))
        return found

    def stats(self, idle: int | None) -> PoolStats:
        """The pool now."""
        waits = self.waits.histogram
        return PoolStats(
            name=self.name,
            kind=self.kind,
            size=self.size,
            in_use=self.in_use,
            idle=idle,
            waiting=self.waiting,
            acquired=self.acquired,
            timeouts=self.timeouts,
            failures=self.failures,
            leaking=len(self.leaks()),
            wait_p50=waits.percentile(50),
            wait_p99=waits.percentile(99),
            wait_max=waits.maximum,
        )


class Slots:
    """The places of a pool that has no line of its own: first come, first served; a caller that is cancelled leaves nothing behind."""

    def __init__(self, usage: Usage) -> None:
        self.usage = usage
        self._free = usage.size
        self._line: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def acquire(self, seconds: float | None) -> Lease:
        """A place; `release` the lease in any case.

        Raises:
            TimeoutError: None became free in time.
            PoolClosed: The pool is being closed.
        """
        if self._closed:
            raise self._refusal()
        if self._free > 0 and not self._line:
            self._free -= 1
            return self._lease(0.0)
        began = time.monotonic()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(future)
        self.usage.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await future
        except BaseException as error:
            if future.done() and not future.cancelled() and future.exception() is None:
                # It was handed to us while we were told to go.
                self.pass_on()
            elif future in self._line:
                self._line.remove(future)
            self.usage.timeouts += isinstance(error, TimeoutError)
            raise
        finally:
            self.usage.waiting -= 1
        return self._lease(time.monotonic() - began)

    def _lease(self, waited: float) -> Lease:
        return _Slot(self, self.usage.taken(waited))

    def _refusal(self) -> PoolClosed:
        return PoolClosed(f"the pool {self.usage.name} is closed", details={"pool": self.usage.name})

    def pass_on(self) -> None:
        """Give a free place to the next in line; called by the lease."""
        while self._line:
            future = self._line.popleft()
            if not future.done():
                future.set_result(None)
                return
        self._free += 1

    def close(self) -> None:
        """Give no more places away; whoever waits is told."""
        self._closed = True
        while self._line:
            future = self._line.popleft()
            if not future.done():
                future.set_exception(self._refusal())


class _Slot(Lease):
    """A lease whose place goes to the next in line."""

    __slots__ = ("_lease", "_slots")

    def __init__(self, slots: Slots, lease: Lease) -> None:
        self._slots: Slots | None = slots
        self._lease = lease

    def release(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            self._lease.release()
            slots.pass_on()
