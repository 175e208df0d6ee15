"""How much of what it may use a process uses: memory and processor time, against the container's limits or the machine's size (Linux)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from orchestrator_kernel.process_status import read_status
from orchestrator_monitoring._metrics.declarations import Gauge, Metric

__all__ = ["CPU_USED", "MEMORY_USED", "USAGE_METRICS", "ProcessUsage"]

MEMORY_USED: Final = Gauge(
    "orchestrator_process_memory_used_ratio",
    "Resident memory out of the container's limit, or of the machine's memory.",
    unit="ratio",
    across="max",
)
CPU_USED: Final = Gauge(
    "orchestrator_process_cpu_used_ratio",
    "Processor time since the last look, out of what the container or the machine has.",
    unit="ratio",
    across="max",
)
USAGE_METRICS: Final[tuple[Metric, ...]] = (MEMORY_USED, CPU_USED)
"""What alert rules need to know of a process, for the catalogue."""


class ProcessUsage:
    """Reads the usage of this process; None where the system does not tell."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._seen = (time.monotonic(), time.process_time())

    def memory(self) -> float | None:
        """From 0 to 1."""
        resident, limit = self._resident(), self._memory_limit()
        return None if resident is None or not limit else resident / limit

    def cpu(self) -> float | None:
        """From 0 to about 1, since the last call."""
        (before, spent), now = self._seen, (time.monotonic(), time.process_time())
        self._seen = now
        cores = self._cores()
        return (now[1] - spent) / (now[0] - before) / cores if now[0] > before and cores else None

    def _resident(self) -> int | None:
        proc = self._root / "proc"
        return read_status(proc=proc).resident if proc.is_dir() else None

    def _memory_limit(self) -> int | None:
        own = (
            self._text("sys/fs/cgroup/memory.max").strip()
            or self._text("sys/fs/cgroup/memory/memory.limit_in_bytes").strip()
        )
        machine = self._machine_memory()
        # Without a limit the older interface shows a number beyond any machine.
        return min(int(own), machine or int(own)) if own.isdecimal() else machine

    def _machine_memory(self) -> int | None:
        for line in self._text("proc/meminfo").splitlines():
            name, _, value = line.partition(":")
            if name == "MemTotal":
                return int(value.split()[0]) * 1024
        return None

    def _cores(self) -> float:
        quota, _, period = self._text("sys/fs/cgroup/cpu.max").strip().partition(" ")
        cores = float(os.cpu_count() or 1)
        return min(cores, int(quota) / int(period)) if quota.isdecimal() and period.isdecimal() else cores

    def _text(self, path: str) -> str:
        try:
            return (self._root / path).read_text()
        except (OSError, UnicodeDecodeError):
            return ""
