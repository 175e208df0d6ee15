"""Single flight: callers who want the same value at the same time share one load.

The load runs in a task of its own, which no caller's cancellation touches; each caller waits on a future of its own. So the cancelled caller
alone is cancelled, the load runs once, and what it brings is kept even if nobody waits any more. A load that fails fails for all who wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from orchestrator_kernel.exceptions import CacheError

__all__ = ["Flight", "Flights", "LoadAbandoned", "LoadTooSlow"]

V = TypeVar("V")


class LoadTooSlow(CacheError):
    """A load took longer than `load_seconds`."""

    default_code = "load_too_slow"


class LoadAbandoned(CacheError):
    """A load was cancelled from inside, or because the cache was closed; the callers who waited were not cancelled."""

    default_code = "load_abandoned"


class Flight(Generic[V]):
    """One load under way."""

    __slots__ = ("joined", "keep", "task", "waiting")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.waiting: list[asyncio.Future[V]] = []
        self.joined = 0
        self.keep = True
        """False when the key was removed meanwhile: those who wait get the value, and it is not kept."""

    def wait(self) -> asyncio.Future[V]:
        """A future of one's own: cancelling it cancels nobody else."""
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        return future

    def land(self, value: V) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_result(value)

    def crash(self, error: BaseException) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_exception(error)
                # A caller may be cancelled before it looks.
                future.exception()


class Flights(Generic[V]):
    """The loads of one store, by key."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._by_key: dict[Hashable, Flight[V]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def of(self, key: Hashable) -> Flight[V] | None:
        """The load of a key that is under way."""
        return self._by_key.get(key)

    def start(self, key: Hashable, load: Callable[[Flight[V]], Awaitable[V]]) -> Flight[V]:
        """Begin a load; there is none for the key. `load` gets the flight, to ask whether to keep what it brings."""
        flight: Flight[V] = Flight()
        self._by_key[key] = flight
        flight.task = asyncio.get_running_loop().create_task(self._fly(key, flight, load))
        self._running.add(flight.task)
        flight.task.add_done_callback(self._running.discard)
        return flight

    def detach(self, key: Hashable) -> None:
        """Whoever asks from now on gets a load of its own, and the one under way is not kept."""
        flight = self._by_key.pop(key, None)
        if flight is not None:
            flight.keep = False

    def detach_all(self) -> None:
        """`detach` for every key."""
        for flight in self._by_key.values():
            flight.keep = False
        self._by_key.clear()

    async def _fly(self, key: Hashable, flight: Flight[V], load: Callable[[Flight[V]], Awaitable[V]]) -> None:
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                value = await load(flight)
        except asyncio.CancelledError:
            self._end(key, flight)
            flight.crash(LoadAbandoned("the load was cancelled before it brought a value; try again"))
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # this runs in a task
                raise
        except TimeoutError as error:
            self._end(key, flight)
            flight.crash(self._too_slow() if limit.expired() else error)
        except BaseException as error:
            self._end(key, flight)
            flight.crash(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._end(key, flight)
            flight.land(value)

    def _too_slow(self) -> LoadTooSlow:
        return LoadTooSlow(f"the value was not loaded within {self._seconds:g} s", details={"seconds": self._seconds})

    def _end(self, key: Hashable, flight: Flight[Any]) -> None:
        if self._by_key.get(key) is flight:
            del self._by_key[key]

    async def close(self) -> None:
        """Cancel what is under way, and wait for it."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
