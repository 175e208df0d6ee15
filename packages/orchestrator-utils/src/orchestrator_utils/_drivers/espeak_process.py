"""A child process of the embedded voice: starting it and talking to it."""

from __future__ import annotations

from orchestrator_kernel.child_process import ChildProcess
from orchestrator_kernel.ports import SpeechFailed, SpeechUnavailable
from orchestrator_utils._speech_frames import FrameReader, Kind

__all__ = ["EspeakProcess"]

_MODULE = "orchestrator_utils._drivers.espeak_child"


class EspeakProcess(ChildProcess):
    """`espeak_child`, and the pipes to it. Made by `spawn`; whoever made it awaits `end`."""

    @classmethod
    async def spawn(cls) -> EspeakProcess:
        """Start one.

        Raises:
            OSError: The system does not start it.
        """
        return await cls.start(_MODULE)

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
