"""A circuit breaker for asyncio and for threads.

What the user types:

    breaker = CircuitBreaker("tts", CircuitBreakerConfig(failure_rate=0.5, slow_call_seconds=2.0))
    audio = await breaker.call(client.speak, "Hello")

pybreaker is the engine: its state machine decides the transitions, its listeners and exclusions apply. What it cannot do under asyncio is
done around it: calls are admitted and awaited outside any lock, and only outcomes that matter are replayed into the engine, each within
microseconds. Source of the pattern: Nygard, Release It!; of windows, slow calls and forced states: resilience4j.
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock
from orchestrator_resilience._breaker_calls import NEUTRAL, Admission, CircuitOpen, Guard, Outcome
from orchestrator_resilience._breaker_models import BreakerSnapshot, BreakerState, Observer, Override, Transition
from orchestrator_resilience._breaker_storage import WindowStorage
from orchestrator_resilience._clocks import direct
from orchestrator_resilience._engine import pybreaker
from orchestrator_resilience._listeners import GuardedListener, Listener
from orchestrator_resilience._windows import Window
from orchestrator_resilience.config import CircuitBreakerConfig, ErrorFilter

__all__ = [
    "BreakerSnapshot",
    "BreakerState",
    "CircuitBreaker",
    "CircuitOpen",
    "Guard",
    "Listener",
    "Observer",
    "Transition",
]

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_STATES: dict[str, BreakerState] = {"closed": "closed", "open": "open", "half-open": "half_open"}


class CircuitBreaker:
    """Stops calling a dependency that fails, and finds out with a few probes when it is well again.

    Cancelled calls, and those ended by `KeyboardInterrupt` or `SystemExit`, count neither way and give their place back. An outcome
    counts only if the circuit has not changed its state since the call was admitted. Safe to use from several threads and loops.

    Args:
        name: The dependency, for messages, logs and metrics.
        config: When to open and how to close.
        clock: Where time comes from; only `monotonic` is used.
        listeners: pybreaker's `CircuitBreakerListener`s; they are told of every call, which takes the short path away. One that raises is
            logged and otherwise ignored.
        observers: Told of changes of state only; guarded in the same way.
    """

    def __init__(
        self,
        name: str,
        config: CircuitBreakerConfig | None = None,
        *,
        clock: Clock | None = None,
        listeners: Iterable[Listener] = (),
        observers: Iterable[Observer] = (),
    ) -> None:
        self.name = name
        self.config = config or CircuitBreakerConfig()
        self._monotonic = direct(clock).monotonic
        self._storage = WindowStorage(self.config, self._monotonic)
        self._lock = threading.RLock()
        self._override: Override | None = None
        self._probes: set[Admission] = set()
        self._refused = 0
        self._opened = 0
        self._observers = tuple(observers)
        listening: Sequence[Any] = [GuardedListener(each, name) for each in listeners]
        self._listening = bool(listening)
        self.engine = pybreaker.CircuitBreaker(
            fail_max=1,
            reset_timeout=self.config.recovery_seconds,
            success_threshold=self.config.probes,
            exclude=cast("Any", [_predicate(self.config)]),
            listeners=listening,
            state_storage=self._storage,
            name=name,
            throw_new_error_on_trip=False,
        )
        self._seen: BreakerState = "closed"
        self._window = self._storage.window
        self.timed = self._window.timed or self.config.slow_call_seconds is not None
        """Whether outcomes have to say when their call began."""
        self._plain = False
        self.plain_window: Window | None = None
        """The window of a closed circuit that needs no more than `ended`, for pipelines; None: `call` has to decide."""
        self._renewed()

    # -- calls

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `function(*args, **kwargs)` if the circuit lets it through.

        Raises:
            CircuitOpen: It does not; `function` was not called.
        """
        window = self.plain_window
        if window is None:
            return await self._call_observed(function, args, kwargs)
        started = self._monotonic() if self.timed else 0.0
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            self.ended(window, started, error)
            raise
        if self.timed:
            self.ended(window, started, None)
        else:
            window.calls += 1
        return result

    async def _call_observed(
        self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        admitted = Admission(self._window, self._monotonic(), None) if self._plain else await self._enter()
        try:
            result = await function(*args, **kwargs)
            verdict = self._judged(result)
        except BaseException as error:
            self._settle(admitted, error)
            raise
        self._settle(admitted, verdict)
        return result

    def ended(self, window: Window, started: float, error: BaseException | None) -> None:
        """The outcome of a call that began under `plain_window`."""
        if error is None:
            now, slow = self._monotonic(), self.config.slow_call_seconds
            if slow is None or now - started <= slow:
                with self._lock:
                    if window is self._window:
                        window.success(now)
                return
        self._settle(Admission(window, started, None), error)

    def call_sync(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """`call` for an ordinary function. No lock is held while it runs.

        Raises:
            CircuitOpen: The circuit does not let it through; `function` was not called.
            ConfigurationError: `function` answers an awaitable; use `call`.
        """
        admitted = self._admit()
        try:
            result = function(*args, **kwargs)
            if inspect.isawaitable(result):
                _unused(result)
            verdict = self._judged(result)
        except BaseException as error:
            self._settle(admitted, error)
            raise
        self._settle(admitted, verdict)
        return result

    def guard(self) -> Guard:
        """A context manager, sync and async, for a call that is no single function: a stream, a block."""
        return Guard(self)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a coroutine function or an ordinary function.

        Raises:
            ConfigurationError: `function` is a generator function: its work happens after it returns; use `guard` where it is consumed.
        """
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise ConfigurationError(
                "a generator works after it returns: put `guard()` around the loop that consumes it"
            )
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - its kind is asked for
            asynchronous = cast("Callable[..., Awaitable[Any]]", function)

            @functools.wraps(function)
            async def protected(*args: Any, **kwargs: Any) -> Any:
                return await self.call(asynchronous, *args, **kwargs)

            return cast("Callable[P, R]", protected)

        @functools.wraps(function)
        def protected_sync(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.call_sync(function, *args, **kwargs)

        return protected_sync

    # -- admission and outcome

    async def _enter(self) -> Admission:
        """`_admit` for those who may have to wait for the answer."""
        return self._admit()

    def _admit(self) -> Admission:
        """Let one call through, or raise `CircuitOpen`."""
        now = self._monotonic()
        with self._lock:
            state = self.state
            if state == "open" and self._storage.cooled_down():
                self.engine.half_open()
                self._renewed()
                state = self.state
            if state in {"open", "forced_open"}:
                self._refuse(self._storage.retry_after() if state == "open" else None)
            if state != "half_open":
                return Admission(self._window, now, None)
            self._probes = {probe for probe in self._probes if (probe.expires or 0.0) > now}
            if self._storage.success_counter + len(self._probes) >= self.config.probes:
                self._refuse(None)
            probe = Admission(self._window, now, now + self.config.probe_lease_seconds)
            self._probes.add(probe)
            return probe

    def _refuse(self, retry_after: float | None) -> NoReturn:
        self._refused += 1
        raise CircuitOpen(
            f"{self.name} failed too often and is not asked for now",
            details={"dependency": self.name, "state": self.state},
            retry_after=retry_after,
        )

    def _judged(self, result: object) -> BaseException | None:
        failed = self.config.failed_result
        return Outcome("the result says that the call failed") if failed is not None and failed(result) else None

    def _settle(self, admitted: Admission, error: BaseException | None) -> None:
        """Count the outcome of a call, unless it is neutral or of an older generation."""
        with self._lock:
            probing = admitted.expires is not None
            if probing:
                if admitted not in self._probes:
                    return
                self._probes.discard(admitted)
                if cast("float", admitted.expires) <= self._monotonic():
                    return
            if (
                isinstance(error, NEUTRAL)
                or admitted.window is not self._window
                or self._override in {"forced_open", "disabled"}
            ):
                return
            slow = self._is_slow(admitted)
            if not probing and error is None and not slow:
                self._storage.success()
                if not self._listening:
                    return
            self._replay(error, slow=slow)

    def _is_failure(self, error: BaseException) -> bool:
        return self.engine.is_system_error(error)

    def _is_slow(self, admitted: Admission) -> bool:
        limit = self.config.slow_call_seconds
        return limit is not None and self._monotonic() - admitted.started > limit

    def _replay(self, error: BaseException | None, *, slow: bool) -> None:
        """Tell the engine how a call ended; it decides what follows."""
        self._storage.slow = slow
        self._storage.failed = error is not None and self._is_failure(error)
        if slow and not self._storage.failed:
            error = Outcome("the call took too long")
        elif error is not None and not self._storage.failed and self._storage.state == pybreaker.STATE_CLOSED:
            self._storage.success()  # an excluded error is an answer

        def ended() -> None:
            if error is not None:
                raise error

        trace = None if error is None else error.__traceback__
        try:
            self.engine.call(ended)
        except BaseException as replayed:
            if replayed is not error:
                raise
            # Raising it here has put this function into the caller's traceback.
            replayed.__traceback__ = trace
        self._renewed()

    # -- states

    @property
    def state(self) -> BreakerState:
        """The present state. An open circuit stays `open` until the first call after `recovery_seconds`."""
        return self._override or _STATES[self.engine.current_state]

    def force_open(self) -> None:
        """Refuse every call until `reset`."""
        self._set_override("forced_open")

    def disable(self) -> None:
        """Let every call through and count nothing, until `reset`."""
        self._set_override("disabled")

    def metrics_only(self) -> None:
        """Let every call through and count it, but never open, until `reset`."""
        self._set_override("metrics_only")

    def reset(self) -> None:
        """Close the circuit, forget what it has seen and end a forced state."""
        self._set_override(None)

    def _set_override(self, override: Override | None) -> None:
        with self._lock:
            self._override = override
            self._storage.judging = override is None
            if override == "forced_open":
                self.engine.open()
            else:
                self.engine.close()
            self._renewed()

    def _renewed(self) -> None:
        """After anything that may have changed the state: take up the new window, choose the path, tell the observers."""
        if self._window is not self._storage.window:
            self._probes = set()
        self._window = self._storage.window
        self._plain = self.state == "closed" and not self._listening
        self.plain_window = self._window if self._plain and self.config.failed_result is None else None
        old, new = self._seen, self.state
        if old == new:
            return
        self._seen = new
        self._opened += new == "open"
        logger.warning("circuit %s: %s -> %s", self.name, old, new)
        for observer in self._observers:
            try:
                observer(Transition(self.name, old, new))
            except Exception:
                logger.exception("an observer of circuit %s failed", self.name)

    def snapshot(self) -> BreakerSnapshot:
        """The circuit now."""
        with self._lock:
            state = self.state
            calls, failures, slow = self._window.totals(self._monotonic())
            probing = state == "half_open"
            return BreakerSnapshot(
                name=self.name,
                state=state,
                calls=calls,
                failures=failures,
                slow=slow,
                probes=self._storage.success_counter + len(self._probes) if probing else 0,
                refused=self._refused,
                opened=self._opened,
                retry_after=self._storage.retry_after() if state == "open" else None,
            )


def _matches(error: BaseException, filters: Iterable[ErrorFilter]) -> bool:
    return any(isinstance(error, each) if isinstance(each, type) else each(error) for each in filters)


def _predicate(config: CircuitBreakerConfig) -> Callable[[BaseException], bool]:
    """Whether an error is an answer. One function for the engine: it would call a class whose metaclass is not `type`."""

    def is_answer(error: BaseException) -> bool:
        if isinstance(error, Outcome):
            return False
        if _matches(error, config.excluded):
            return True
        return config.included is not None and not _matches(error, config.included)

    return is_answer


def _unused(result: Any) -> NoReturn:
    if inspect.iscoroutine(result):
        result.close()
    raise ConfigurationError("the function answers an awaitable: await `call` instead of `call_sync`")
