"""How long requests, dependencies and the like take, and how often they fail."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_performance._timing import Timing

__all__ = ["KINDS", "Timers"]

KINDS: Final = ("request", "dependency", "database", "cache")
_OTHER: Final = "other"


class Timers:
    """Timers by kind and name; the names are bounded.

    Args:
        names: How many names a kind may have.
    """

    def __init__(self, names: int) -> None:
        self._names = names
        self._by_kind: dict[str, dict[str, Timing]] = {kind: {} for kind in KINDS}

    def timing(self, kind: str, name: str) -> Timing:
        """Where durations of this kind and name are kept.

        Raises:
            ValidationError: The kind is none of `KINDS`.
        """
        try:
            known = self._by_kind[kind]
        except KeyError:
            raise ValidationError(f"{kind} is no kind of timer; there is {', '.join(KINDS)}") from None
        found = known.get(name)
        if found is None:
            if len(known) >= self._names and name != _OTHER:
                return self.timing(kind, _OTHER)
            found = known[name] = Timing()
        return found

    @contextmanager
    def time(self, kind: str, name: str) -> Generator[None]:
        """Time what is inside. An exception is a failure; being cancelled is neither, and not counted."""
        timing = self.timing(kind, name)
        began = perf_counter()
        try:
            yield
        except Exception:
            timing.record(perf_counter() - began, failed=True)
            raise
        timing.record(perf_counter() - began)

    def __iter__(self) -> Generator[tuple[str, str, Timing]]:
        """All timers, with kind and name."""
        for kind, known in self._by_kind.items():
            for name, timing in known.items():
                yield kind, name, timing

    def roll(self) -> dict[str, float]:
        """The measures of each kind since the last time; a kind without any in that time has none but its count."""
        found: dict[str, float] = {}
        for kind, known in self._by_kind.items():
            windows = [timing.roll() for timing in known.values()]
            count = sum(window.count for window, _ in windows)
            found[f"{kind}.count"] = float(count)
            if not count:
                continue
            merged = windows[0][0]
            for window, _ in windows[1:]:
                merged = merged.merged(window)
            found[f"{kind}.p50"] = merged.percentile(50)
            found[f"{kind}.p99"] = merged.percentile(99)
            found[f"{kind}.max"] = merged.maximum
            found[f"{kind}.error_share"] = sum(failed for _, failed in windows) / count
        return found
