"""What the process holds, read without stopping anything."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MemorySample", "read_memory"]

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Memory at one moment. Bytes.

    Attributes:
        at: Monotonic seconds.
        rss: Resident.
        peak: The most that was ever resident.
        swapped: In swap; 0 where that is not known.
        blocks: Blocks that Python's allocator has given out: its live small objects, about.
    """

    at: float
    rss: int
    peak: int
    swapped: int
    blocks: int


def read_memory(now: float) -> MemorySample:
    """Read it now; some ten microseconds, and with a large heap a few hundred."""
    if _STATUS.exists():
        found = {"VmRSS": 0, "VmHWM": 0, "VmSwap": 0}
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) * 1024
        rss, peak, swapped = found["VmRSS"], found["VmHWM"], found["VmSwap"]
    else:
        import resource  # noqa: PLC0415 - where there is no /proc

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Kilobytes everywhere but on macOS; the present size is not told, so the peak stands for it.
        peak *= 1 if sys.platform == "darwin" else 1024
        rss, swapped = peak, 0
    return MemorySample(now, rss, peak, swapped, sys.getallocatedblocks())
