"""A module of ours as a child process: started with nothing but what it needs, talked to over pipes, ended for certain.

What the user types: a subclass for its own messages, made by `await Worker.start("a_package.worker")`; whoever made it awaits `end`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final, Self

__all__ = ["ChildProcess"]

_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "LANG")
"""What a process needs to find its libraries and nothing else: secrets are often in the environment."""

_GRACE: Final = 0.5
"""Seconds that a child gets to end by itself."""


class ChildProcess:
    """A child, and the pipes to it.

    Attributes:
        pid: Of the child.
    """

    def __init__(self, process: Process, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self.pid = process.pid

    @classmethod
    async def start(cls, module: str) -> Self:
        """Run `python -m module PID`, where PID is our own, so that the child can tell when it is left alone.

        Raises:
            OSError: The system does not start it.
        """
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        # -P: a file in the current directory must not take the place of a module. A session of its own: a signal for the
        # terminal's group, like Ctrl-C, is for the parent, which ends its children when it ends.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module, str(os.getpid())),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=environment,
            start_new_session=True,
        )
        if process.stdin is None or process.stdout is None:
            raise OSError("a child was started without its pipes")
        return cls(process, process.stdin, process.stdout)

    def close(self) -> None:
        """Ask it to end."""
        self._stdin.close()

    def kill(self) -> None:
        """End it now. For one that hangs: killing one that ends anyway takes its exit status from the loop, which waits for it."""
        if self._process.returncode is None:
            self._process.kill()

    async def end(self) -> None:
        """Ask it to end, wait, and kill it if it does not."""
        self.close()
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
