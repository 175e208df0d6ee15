"""What the system tells of a process: its memory, and how often it lost the processor.

From `/proc` where there is one (Linux), so that other processes can be asked for, too; elsewhere from `getrusage`, of this process alone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessStatus", "read_status"]

_PROC = Path("/proc")
_FIELDS = {
    "VmRSS": "resident",
    "VmHWM": "peak",
    "VmSwap": "swapped",
    "nonvoluntary_ctxt_switches": "preempted",
}


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """A process at one moment. Bytes.

    Attributes:
        resident: In memory; where the system tells the peak alone, that.
        peak: The most that was ever resident.
        swapped: In swap; 0 where that is not told.
        preempted: How often it lost the processor though it had work; None where that is not told.
    """

    resident: int = 0
    peak: int = 0
    swapped: int = 0
    preempted: int | None = None


def read_status(pid: int | None = None, *, proc: Path = _PROC) -> ProcessStatus:
    """Read it now: some thirty microseconds, and of a large process a few hundred.

    Args:
        pid: Whose; this process's when None.
        proc: Where the system tells of processes.

    Raises:
        ProcessLookupError: There is no such process, or none but this one can be asked for here.
    """
    try:
        text = (proc / ("self" if pid is None else str(pid)) / "status").read_text(encoding="ascii", errors="replace")
    except OSError as error:
        if pid is None:
            return _of_this_process()
        raise ProcessLookupError(f"process {pid} is not there, or the system tells nothing of others") from error
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in _FIELDS:
            number, _, unit = value.strip().partition(" ")
            found[_FIELDS[name]] = int(number) * (1024 if unit == "kB" else 1)
    return ProcessStatus(**found)


def _of_this_process() -> ProcessStatus:
    import resource  # noqa: PLC0415 - where there is no /proc, and not on every system

    used = resource.getrusage(resource.RUSAGE_SELF)
    # Kilobytes everywhere but on macOS.
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return ProcessStatus(peak, peak, 0, used.ru_nivcsw)
