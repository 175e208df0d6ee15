"""How long the collector of cycles stops the process, as it tells itself."""

from __future__ import annotations

import gc
from time import perf_counter

from orchestrator_performance._timing import Timing

__all__ = ["GcPauses"]


class GcPauses:
    """Listens to every collection; it never starts one."""

    def __init__(self) -> None:
        self.pauses = (Timing(), Timing(), Timing())
        """By generation."""
        self.collected = 0
        self.uncollectable = 0
        self._began = 0.0

    def start(self) -> None:
        """Listen."""
        # A collection may come in the middle of any import; what is heard then must import nothing itself.
        for each in self.pauses:
            _ = each.histogram
        if self._heard not in gc.callbacks:
            gc.callbacks.append(self._heard)

    def stop(self) -> None:
        """Listen no more."""
        if self._heard in gc.callbacks:
            gc.callbacks.remove(self._heard)

    def _heard(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
        elif self._began:
            self.pauses[info["generation"]].record(perf_counter() - self._began)
            self.collected += info["collected"]
            self.uncollectable += info["uncollectable"]
            self._began = 0.0
