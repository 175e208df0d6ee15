"""A child process of the embedded recognizer: starting it, asking it, ending it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final

from orchestrator_kernel.ports.audio import TranscriberUnavailable

__all__ = ["RecognizerProcess"]

_MODULE: Final = "orchestrator_calls._drivers.recognizer_child"
# What a process needs to find its libraries and nothing else: secrets are often in the environment.
_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "LANG")
_GRACE: Final = 0.5
"""Seconds that a child gets to end by itself."""
_MOST: Final = 65_536
"""Bytes of an answer."""


class RecognizerProcess:
    """`recognizer_child`, and the pipes to it; whoever made it by `spawn` awaits `end`."""

    def __init__(self, process: Process, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self.pid = process.pid

    @classmethod
    async def spawn(cls) -> RecognizerProcess:
        """Start one; OSError when the system does not."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        # -P: a file in the current directory must not take the place of a module. A session of its own: Ctrl-C is for the parent.
        command = (sys.executable, "-P", "-m", _MODULE, str(os.getpid()))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True
        )
        if process.stdin is None or process.stdout is None:
            raise OSError("a child was started without its pipes")
        return cls(process, process.stdin, process.stdout)

    async def ready(self) -> None:
        """Wait until the model is loaded.

        Raises:
            TranscriberUnavailable: It cannot be.
            EOFError: The child ended.
        """
        answer = await self._answer()
        if answer != b"ready":
            why = answer.decode("ascii", "replace")
            raise TranscriberUnavailable(
                f"the embedded recognizer cannot be loaded ({why}): reinstall orchestrator-calls[asr]"
            )

    async def exchange(self, request: bytes) -> bytes:
        """Ask, and wait for the answer; EOFError or OSError when the child ended."""
        self._stdin.write(request)
        await self._stdin.drain()
        return await self._answer()

    async def _answer(self) -> bytes:
        size = int.from_bytes(await self._stdout.readexactly(4), "big")
        if size > _MOST:
            raise OSError("an answer that makes no sense")
        return await self._stdout.readexactly(size)

    async def end(self) -> None:
        """Ask it to end, wait, and kill it if it does not."""
        self._stdin.close()
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
