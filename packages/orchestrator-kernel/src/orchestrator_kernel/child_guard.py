"""The child's side of `child_process`; with no import that a small program would wait for.

What the user types, first thing in the `main` of a module that `ChildProcess` starts: `end_with_parent(int(sys.argv[1]))`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

__all__ = ["end_with_parent"]

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent(parent: int) -> None:
    """End when the process with this id does (Linux), ignore the terminal's Ctrl-C, and leave no core dump of what was in memory.

    Elsewhere than on Linux, the end of standard input is what tells that the parent is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # It may have gone before we asked to be told.
        if os.getppid() != parent:
            os._exit(0)
