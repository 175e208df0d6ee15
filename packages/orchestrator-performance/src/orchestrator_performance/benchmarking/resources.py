"""What a load costs beside time: processor, memory, collections of garbage, and what the system took away.

Other processes can be watched where there is a `/proc`; this one everywhere.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.process_status import read_status
from orchestrator_performance.benchmarking._errors import BenchmarkError

__all__ = ["ResourceUse", "Watch", "watch"]

EVERY = 0.1
_PROC = Path("/proc")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """What the watched processes used.

    Attributes:
        seconds: How long they were watched.
        cpu_seconds: Of all of them, in user and system mode.
        peak_bytes: The most memory that was resident in all of them together; sampled ten times a second.
        grown_bytes: Resident memory at the end, less that at the beginning.
        preempted: How often the system took the processor from one that still had work; None where it does not say.
        collections: Of garbage, of the oldest generation, in this process; None when only others were watched.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    grown_bytes: int
    preempted: int | None
    collections: int | None

    @property
    def cores(self) -> float:
        """Processors in use on average."""
        return self.cpu_seconds / self.seconds if self.seconds > 0 else 0.0

    def line(self) -> str:
        """One line for a table."""
        parts = [f"{self.cores:.2f} cores ({self.cpu_seconds:.2f} s)", f"peak {self.peak_bytes / _MIB:.0f} MiB"]
        parts.append(f"grown by {self.grown_bytes / _MIB:+.1f} MiB")
        if self.preempted is not None:
            parts.append(f"preempted {self.preempted} times")
        if self.collections is not None:
            parts.append(f"{self.collections} full collections")
        return ", ".join(parts)

    def as_json(self) -> Mapping[str, float | int | None]:
        """With plain values: seconds and bytes."""
        return {
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "cores": self.cores,
            "peak_bytes": self.peak_bytes,
            "grown_bytes": self.grown_bytes,
            "preempted": self.preempted,
            "collections": self.collections,
        }


@dataclass(slots=True)
class Watch:
    """What is being watched.

    Attributes:
        use: What was used; None until the context has ended.
        peak_bytes: The most resident memory so far.
    """

    use: ResourceUse | None = None
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Reading:
    cpu: float
    resident: int
    preempted: int | None


@asynccontextmanager
async def watch(processes: Sequence[int] | None = None) -> AsyncGenerator[Watch, None]:
    """Watch processes for as long as the context lasts.

    Args:
        processes: Their ids; this one if not given. One that ends while it is watched raises.

    Raises:
        BenchmarkError: A process is not there, or it is another one and the system has no `/proc`.
    """
    own = processes is None
    pids = (os.getpid(),) if processes is None else tuple(processes)
    found, started, before = Watch(), time.monotonic(), _read(pids)
    collected = _collections()
    found.peak_bytes = before.resident
    sampling = asyncio.create_task(_sample(found, pids))
    try:
        yield found
        after = _read(pids)
    finally:
        await cancel(sampling)
    preempted = (
        after.preempted - before.preempted if after.preempted is not None and before.preempted is not None else None
    )
    found.use = ResourceUse(
        time.monotonic() - started,
        after.cpu - before.cpu,
        max(found.peak_bytes, after.resident),
        after.resident - before.resident,
        preempted,
        _collections() - collected if own or os.getpid() in pids else None,
    )


async def _sample(found: Watch, pids: Sequence[int]) -> None:
    while True:
        await asyncio.sleep(EVERY)
        found.peak_bytes = max(found.peak_bytes, _read(pids).resident)


def _collections() -> int:
    return int(gc.get_stats()[-1]["collections"])


def _read(pids: Sequence[int]) -> _Reading:
    readings = [_of_process(pid) for pid in pids]
    preempted = [each.preempted for each in readings]
    return _Reading(
        sum(each.cpu for each in readings),
        sum(each.resident for each in readings),
        None if None in preempted else sum(each or 0 for each in preempted),
    )


def _of_process(pid: int) -> _Reading:
    own = pid == os.getpid()
    try:
        status = read_status(None if own else pid)
        cpu = time.process_time() if own else _cpu_seconds(pid)
    except OSError as error:
        raise BenchmarkError(f"process {pid} is not there to be watched, or the system has no /proc") from error
    return _Reading(cpu, status.resident, status.preempted)


def _cpu_seconds(pid: int) -> float:
    # The name before it may have blanks and brackets.
    stat = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
