"""Audio at rest: nothing of it is written anywhere unless somebody asks for it, and then it is sealed for the person who speaks."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from orchestrator_kernel.ports import Sealer, SealScope
from orchestrator_performance._audio.errors import AudioError
from orchestrator_performance._audio.wav import MAX_WAV, Wav, read_wav, write_wav

__all__ = ["keep_recording", "open_recording"]


async def keep_recording(
    path: Path, pcm: bytes, sample_rate: int, *, sealer: Sealer, scope: SealScope, encoding: str = "PCMU"
) -> None:
    """Keep a recording at `path`: a WAV file, sealed in memory before a byte of it is written, mode 600, whole or not at all.

    Raises:
        AudioError: Half a sample, or it cannot be written.
        Erased: The person's data was erased.
    """
    wav = await asyncio.to_thread(write_wav, pcm, sample_rate, encoding=encoding)
    sealed = await sealer.seal(wav, scope)
    try:
        await asyncio.to_thread(_replace, path, sealed)
    except OSError as error:
        raise AudioError(f"cannot be written: {error.strerror}", stream=str(path)) from None


async def open_recording(path: Path, *, sealer: Sealer, scope: SealScope) -> Wav:
    """The recording at `path`, for the one it was sealed for.

    Raises:
        AudioError: It cannot be read, or is no recording.
        SealBroken, Erased: It was changed, belongs to somebody else, or its key is gone.
    """
    try:
        sealed = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise AudioError(f"cannot be opened: {error.strerror}", stream=str(path)) from None
    wav = await sealer.open(sealed, scope)
    return await asyncio.to_thread(read_wav, wav, stream=str(path), max_bytes=MAX_WAV)


def _replace(path: Path, data: bytes) -> None:
    # mkstemp makes it readable by nobody else.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
