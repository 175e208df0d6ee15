"""A child process of the embedded voice: starting it, talking to it, ending it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

from orchestrator_kernel.ports import SpeechFailed, SpeechUnavailable
from orchestrator_utils._speech_frames import FrameReader, Kind

__all__ = ["ChildProcess"]

_MODULE = "orchestrator_utils._drivers.espeak_child"
# What a process needs to find its libraries and nothing else: secrets are often in the environment.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "LANG")

_GRACE = 0.5
"""Seconds that a child gets to end by itself."""


class ChildProcess:
    """`espeak_child`, and the pipes to it. Made by `spawn`; whoever made it awaits `end`."""

    def __init__(self, process: Process, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self.pid = process.pid

    @classmethod
    async def spawn(cls) -> ChildProcess:
        """Start one.

        Raises:
            OSError: The system does not start it.
        """
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        # -P: a file in the current directory must not take the place of a module. A session of its own: a signal for the
        # terminal's group, like Ctrl-C, is for the parent, which ends its children when it ends.
        command = (sys.executable, "-P", "-m", _MODULE, str(os.getpid()))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True
        )
        if process.stdin is None or process.stdout is None:
            raise OSError("a child was started without its pipes")
        return cls(process, process.stdin, process.stdout)

    async def ready(self) -> int:
        """Wait until it can speak; the rate of its samples, in Hz.

        Raises:
            SpeechUnavailable: espeak-ng cannot be loaded.
            SpeechFailed: It ended.
            FrameBroken: It makes no sense.
        """
        reader = FrameReader()
        while data := await self.read():
            for frame in reader.feed(data):
                if frame.kind is Kind.READY:
                    return int.from_bytes(frame.payload, "big")
                why = frame.payload.decode("ascii", "replace")
                raise SpeechUnavailable(
                    f"the embedded voice cannot be loaded ({why}): reinstall orchestrator-utils[voice]"
                )
        raise SpeechFailed("embedded voice ended while it started")

    async def read(self) -> bytes:
        """What it wrote; empty when it has ended."""
        return await self._stdout.read(65536)

    def write(self, data: bytes) -> None:
        """Tell it something. That it has ended is noticed by `read`, not here."""
        if not self._stdin.is_closing():
            self._stdin.write(data)

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
