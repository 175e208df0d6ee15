"""What the process uses of the machine."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from orchestrator_performance._memory.sampling import read_memory

__all__ = ["ProcessReader"]

_FDS = Path("/proc/self/fd")


class ProcessReader:
    """Reads processor time, memory, file descriptors and threads; no sample waits for anything."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._cpu = time.process_time()

    def read(self) -> dict[str, float]:
        """The measures now; `cpu.share` is since the last time, in cores."""
        wall, cpu = time.monotonic(), time.process_time()
        span = max(1e-9, wall - self._wall)
        share = (cpu - self._cpu) / span
        self._wall, self._cpu = wall, cpu
        memory = read_memory(wall)
        found = {
            "cpu.share": share,
            "cpu.seconds": cpu,
            "memory.rss": float(memory.rss),
            "memory.peak": float(memory.peak),
            "memory.blocks": float(memory.blocks),
            "threads": float(threading.active_count()),
        }
        if _FDS.exists():
            # Listing them opens one more.
            count = len(os.listdir(_FDS)) - 1  # noqa: PTH208 - names are all that is wanted
            found["fds.open"] = float(count)
            import resource  # noqa: PLC0415 - where /proc is there, so is this

            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            found["fds.share"] = count / limit if limit > 0 else 0.0
        return found
