"""The storage that makes pybreaker judge by a window, on monotonic time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from orchestrator_resilience._engine import pybreaker
from orchestrator_resilience._windows import CountWindow, RunWindow, TimeWindow, Window
from orchestrator_resilience.config import CircuitBreakerConfig

# pybreaker compares `opened_at + reset_timeout` with the wall clock. It is told None or this instant, so that only our clock decides.
_NOT_YET = datetime(9000, 1, 1, tzinfo=UTC)


class WindowStorage(pybreaker.CircuitBreakerStorage):
    """One circuit's memory. `counter` is 1, pybreaker's `fail_max`, when the window says that the circuit has to open."""

    def __init__(self, config: CircuitBreakerConfig, monotonic: Callable[[], float]) -> None:
        super().__init__("window")
        self._config = config
        self._monotonic = monotonic
        self._state: str = pybreaker.STATE_CLOSED
        self._successes = 0
        self._opened = 0.0
        self.judging = True
        self.slow = False
        """Whether the outcome being replayed was slow; set by the breaker before each replay."""
        self.failed = True
        """Whether the bad outcome being replayed was an error, and not only slow."""
        self.failures = self.slow_calls = 0
        """Bad calls since the window was put up, those that have left it included."""
        self.window: Window = self._new_window()

    def _new_window(self) -> Window:
        if self._config.window == "count":
            return CountWindow(self._config.window_calls)
        if self._config.window == "time":
            return TimeWindow(self._config.window_seconds)
        return RunWindow()

    def renew(self) -> None:
        """Put up an empty window; what was admitted under the old one no longer counts."""
        self.window = self._new_window()
        self.failures = self.slow_calls = 0

    @property
    def state(self) -> str:
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state
        self.renew()

    def increment_counter(self) -> None:
        if self._state == pybreaker.STATE_CLOSED:
            self.failures += self.failed
            self.slow_calls += self.slow
            self.window.bad(self._monotonic(), failed=self.failed, slow=self.slow)

    def reset_counter(self) -> None:
        """Nothing: pybreaker says this after a success, which is counted by `success`, and to a new window."""

    def success(self) -> None:
        """A good call through a closed circuit."""
        self.window.success(self._monotonic())

    def increment_success_counter(self) -> None:
        self._successes += 1

    def reset_success_counter(self) -> None:
        self._successes = 0

    @property
    def counter(self) -> int:
        return int(self.judging and self.over_the_limit())

    def over_the_limit(self) -> bool:
        """Whether the window holds enough bad calls to open the circuit."""
        config = self._config
        calls, failures, slow = self.window.totals(self._monotonic())
        if config.window == "consecutive":
            return max(failures, slow) >= config.consecutive_failures
        if calls < config.minimum_calls:
            return False
        too_slow = config.slow_call_seconds is not None and slow >= config.slow_call_rate * calls
        return too_slow or failures >= config.failure_rate * calls

    @property
    def success_counter(self) -> int:
        return self._successes

    @property
    def opened_at(self) -> datetime | None:
        return None if self.cooled_down() else _NOT_YET

    @opened_at.setter
    def opened_at(self, datetime: datetime) -> None:
        del datetime  # the wall clock's; ours is monotonic
        self._opened = self._monotonic()

    def opened_since(self, seconds: float) -> None:
        """The circuit has been open for so long already, somewhere else."""
        self._opened = self._monotonic() - seconds

    def cooled_down(self) -> bool:
        """Whether an open circuit may let probes through."""
        return self.retry_after() <= 0

    def retry_after(self) -> float:
        """Seconds until an open circuit lets probes through; never negative."""
        return max(0.0, self._opened + self._config.recovery_seconds - self._monotonic())
