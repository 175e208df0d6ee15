"""A child process of the embedded recognizer: starting it and asking it."""

from __future__ import annotations

from typing import Final

from orchestrator_kernel.child_process import ChildProcess
from orchestrator_kernel.ports.audio import TranscriberUnavailable

__all__ = ["RecognizerProcess"]

_MODULE: Final = "orchestrator_calls._drivers.recognizer_child"
_MOST: Final = 65_536
"""Bytes of an answer."""


class RecognizerProcess(ChildProcess):
    """`recognizer_child`, and the pipes to it; whoever made it by `spawn` awaits `end`."""

    @classmethod
    async def spawn(cls) -> RecognizerProcess:
        """Start one; OSError when the system does not."""
        return await cls.start(_MODULE)

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
