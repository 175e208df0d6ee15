"""A circuit breaker whose state many processes share (extra `[redis]`).

What the user types:

    store = open_breaker_store("redis://localhost:6379/0")
    breaker = SharedCircuitBreaker("tts", CircuitBreakerConfig(), store=store)
    audio = await breaker.call(client.speak, "Hello")

A closed circuit costs what an unshared one does: outcomes are counted here, the store is told of bad ones at once and of good ones several
times a second, and judges all processes' calls together. Probes of a half-open circuit are given out by the store, so that all processes together
send as many as are allowed. While the store does not answer, each process judges its own calls; when it is back, its word holds again.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Literal, TypeVar, cast, get_args

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock
from orchestrator_resilience._breaker_calls import NEUTRAL, Admission
from orchestrator_resilience._breaker_models import Observer, Override
from orchestrator_resilience._breaker_store import BreakerStore, Circuit, settings
from orchestrator_resilience._listeners import Listener
from orchestrator_resilience._validation import refuse
from orchestrator_resilience.circuit_breaker import CircuitBreaker
from orchestrator_resilience.config import CircuitBreakerConfig

__all__ = ["BreakerStore", "SharedCircuitBreaker", "open_breaker_store"]

R = TypeVar("R")

Verdict = Literal["good", "bad", "neutral"]


def open_breaker_store(url: str, **options: Any) -> BreakerStore:
    """The store at a `redis://`, `rediss://`, `unix://` or `valkey://` URL. Give one object to all breakers of a process.

    Options are `prefix`, `time_limit_seconds` and `sync_seconds`. A store that cannot be reached is no error.

    Raises:
        ConfigurationError: The URL or an option is none, or the extra `[redis]` is missing.
    """
    scheme, _, rest = url.partition("://")
    known = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis", "valkeys": "rediss"}
    if scheme not in known:
        raise refuse("store", scheme, ", ".join(f"{each}://" for each in known))
    try:
        driver = importlib.import_module("orchestrator_resilience._drivers.redis_breakers")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "redis":
            raise
        raise ConfigurationError(
            f"a store at {scheme}:// needs the extra: pip install 'orchestrator-resilience[redis]'",
            details={"setting": "store", "value": scheme},
        ) from None
    try:
        return cast("BreakerStore", driver.RedisBreakers(f"{known[scheme]}://{rest}", **options))
    except TypeError:
        raise refuse("options", sorted(options), "prefix, time_limit_seconds, sync_seconds") from None


# How long a permit is kept for a caller that could not wait for it.
_PERMIT_SECONDS = 1.0


class _Probe(Admission):
    """A call that the store has let through to try a half-open circuit."""

    __slots__ = ("generation", "name")

    def __init__(self, window: object, started: float, expires: float, name: str, generation: int) -> None:
        super().__init__(window, started, expires)
        self.name = name
        self.generation = generation


class SharedCircuitBreaker(CircuitBreaker):
    """`CircuitBreaker` for all processes that use the same name and store. Forced states and resets hold for all of them.

    For one event loop; ordinary functions may be called from other threads.

    Args:
        name: The dependency; the same in all processes.
        config: When to open and how to close; the same in all processes.
        store: Where the circuit is.
        clock: As for `CircuitBreaker`, for the time in which this process is alone.
        listeners: As for `CircuitBreaker`; told of this process's calls, and of all changes of state.
        observers: Told of changes of state, whoever caused them.
    """

    def __init__(
        self,
        name: str,
        config: CircuitBreakerConfig | None = None,
        *,
        store: BreakerStore,
        clock: Clock | None = None,
        listeners: Iterable[Listener] = (),
        observers: Iterable[Observer] = (),
    ) -> None:
        self._store = store
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = False
        self._syncing = self._again = self._wanted = False
        self._generation = 0
        self._told = (0, 0, 0)
        self._told_window: object = None
        self._permits: deque[_Probe] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        super().__init__(name, config, clock=clock, listeners=listeners, observers=observers)
        self._settings = settings(self.config)

    # -- calls

    async def _call_observed(
        self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        await self._start()
        return await super()._call_observed(function, args, kwargs)

    async def _start(self) -> None:
        if not self._started:
            self._started = True
            self._loop = asyncio.get_running_loop()
            await self._store.ready()
            self._store.join(self)
            with self._lock:
                self._renewed()

    async def _enter(self) -> Admission:
        await self._start()
        if not self._asks_store():
            return self._admit()
        name = os.urandom(8).hex()
        try:
            circuit = await self._ask("probe", name)
        except asyncio.CancelledError:
            # The question is under way, and the answer may be yes.
            self._give_back(name)
            raise
        if circuit is None:
            return self._admit()
        if not circuit.granted:
            self._refuse(circuit.retry_after if circuit.state == "open" else None)
        return self._probe(circuit, name)

    def _admit(self) -> Admission:
        """Without waiting; a probe only if one has been fetched from the store in time."""
        if not self._asks_store():
            return super()._admit()
        with self._lock:
            while self._permits:
                permit = self._permits.popleft()
                if permit.window is self._window and cast("float", permit.expires) > self._monotonic():
                    return permit
            self._wanted = True
            return self._refuse(self._storage.retry_after() if self.state == "open" else None)

    def _give_back(self, name: str) -> None:
        """A place that no call will use."""
        self._later(lambda: self._ask("settle", 0, name, "neutral"))

    def _asks_store(self) -> bool:
        return self._store.up and self._started and self.state in {"open", "half_open"}

    def _probe(self, circuit: Circuit, name: str) -> _Probe:
        now = self._monotonic()
        with self._lock:
            probe = _Probe(self._window, now, now + self.config.probe_lease_seconds, name, circuit.generation)
            self._probes.add(probe)
        return probe

    def _settle(self, admitted: Admission, error: BaseException | None) -> None:
        verdict = self._verdict(admitted, error)
        super()._settle(admitted, error)
        if not self._store.up:
            return
        if isinstance(admitted, _Probe):
            self._later(lambda: self._ask("settle", admitted.generation, admitted.name, verdict))
        elif verdict == "bad":
            self._later(self._sync)

    def _verdict(self, admitted: Admission, error: BaseException | None) -> Verdict:
        if isinstance(error, NEUTRAL):
            return "neutral"
        failed = error is not None and self._is_failure(error)
        return "bad" if failed or self._is_slow(admitted) else "good"

    # -- the store

    def found(self) -> None:
        with self._lock:
            alone = self.state == "open"
            self._storage.judging = False
            self._told_window = None
        if alone:
            self._later(lambda: self._ask("open"))
        self._later(self._sync)

    def lost(self) -> None:
        with self._lock:
            self._storage.judging = self._override is None
            self._permits.clear()

    def sync(self) -> None:
        with self._lock:
            old = self._monotonic() - _PERMIT_SECONDS
            while self._permits and self._permits[0].started < old:
                self._give_back(self._permits.popleft().name)
        self._later(self._sync)

    def _later(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Do something with the store without waiting for it, from whatever thread."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            self._begin(work)
        else:
            loop.call_soon_threadsafe(self._begin, work)

    def _begin(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        async def run() -> None:
            await work()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, action: str, *words: Any) -> Circuit | None:
        circuit = await self._store.ask(self.name, (action, *self._settings, *words))
        if circuit is not None:
            self._adopt(circuit)
        return circuit

    async def _sync(self) -> None:
        """Tell what is new and hear how things are; once more if something happened meanwhile."""
        if self._syncing:
            self._again = True
            return
        self._syncing = True
        try:
            while True:
                self._again = False
                await self._ask("tell", self._generation, *self._news())
                if self._wanted and self._asks_store():
                    self._wanted = False
                    await self._fetch()
                if not self._again or not self._store.up:
                    return
        finally:
            self._syncing = False

    async def _fetch(self) -> None:
        """A permit for a caller that cannot wait for one."""
        circuit = await self._ask("probe", name := os.urandom(8).hex())
        if circuit is not None and circuit.granted:
            self._permits.append(self._probe(circuit, name))

    def _news(self) -> tuple[int, int, int, int, int]:
        with self._lock:
            window, storage = self._window, self._storage
            seen = (window.calls, storage.failures, storage.slow_calls)
            before = self._told if self._told_window is window else (0, 0, 0)
            self._told, self._told_window = seen, window
            _, failed_run, slow_run = window.totals(self._monotonic())
            calls, failures, slow = (new - old for new, old in zip(seen, before, strict=True))
            # All bad: the run goes on by as many; else what stands at the end is all of it.
            return (
                calls,
                failures,
                slow,
                failures if calls == failures else failed_run,
                slow if calls == slow else slow_run,
            )

    def _adopt(self, circuit: Circuit) -> None:
        """The store's word on the state."""
        with self._lock:
            forced = _FORCED.get(circuit.state)
            newer = circuit.generation != self._generation
            self._generation = circuit.generation
            if forced != self._override:
                super()._set_override(forced)
            elif forced is None and (circuit.state != self.state or newer):
                self._become(circuit)
            self._storage.judging = False
            self._renewed()

    def _become(self, circuit: Circuit) -> None:
        if circuit.state == "open":
            self.engine.open()
            self._storage.opened_since(self.config.recovery_seconds - circuit.retry_after)
        elif circuit.state == "half_open":
            self.engine.half_open()
        elif self.state != "closed":
            self.engine.close()

    # -- states

    def _set_override(self, override: Override | None) -> None:
        super()._set_override(override)
        self._storage.judging = override is None and not self._store.up
        self._later(lambda: self._ask("force", override or ""))

    def _renewed(self) -> None:
        super()._renewed()
        if not self._started:
            # The first call has to find the store.
            self.plain_window = None


_FORCED: dict[str, Override] = {each: each for each in get_args(Override)}
