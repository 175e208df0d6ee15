"""Frames, levels, noise, and all of it behind the kernel's port."""

from __future__ import annotations

import doctest
import importlib
import pickle
import pkgutil
from array import array
from pathlib import Path

import pytest
from audio_signals import noise, sine
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.contracts import AudioPathContract
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import SealBroken, Sealer, SealScope
from orchestrator_kernel.ports.audio import AudioPath
from orchestrator_performance import _audio
from orchestrator_performance._audio.linear import mixed_to_mono
from orchestrator_performance.audio_optimizer import (
    SILENCE,
    AudioError,
    CallAudio,
    ComfortNoise,
    Framer,
    SilenceMeter,
    frame_bytes,
    keep_recording,
    level,
    measure,
    open_recording,
)


class TestCallAudio(AudioPathContract):
    def make(self) -> AudioPath:
        return CallAudio(engine="filter")


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 40))
def test_frames_are_the_stream_cut_evenly(pieces: list[bytes], size: int):
    framer = Framer(size)
    frames = [frame for piece in pieces for frame in framer.feed(piece)]
    assert all(len(frame) == size for frame in frames)
    assert framer.held == len(b"".join(pieces)) % size
    rest = framer.rest(b"!")
    whole = b"".join(frames) + rest
    assert whole[: len(b"".join(pieces))] == b"".join(pieces)
    assert len(rest) in {0, size}
    assert framer.rest() == b""


def test_a_piece_that_is_a_frame_is_not_copied():
    piece, framer = bytes(320), Framer(320)
    assert framer.feed(piece)[0] is piece


def test_what_is_no_frame_is_told():
    assert frame_bytes(48000, milliseconds=10) == 960
    for wrong in (11025, 0, -8000):
        with pytest.raises(AudioError, match="no whole number of samples"):
            frame_bytes(wrong, milliseconds=1)
    framer = Framer(320, stream="MZ1")
    framer.feed(bytes(100))
    with pytest.raises(AudioError, match="stream MZ1 byte 100: 2000000 bytes in one piece"):
        framer.feed(bytes(2_000_000))
    assert len(framer.feed(bytes(220))) == 1
    with pytest.raises(AudioError):
        Framer(0)


def test_levels(either_way: str):
    assert level(sine(1000, 0.1, 8000, 32767)) == pytest.approx(-3.01, abs=0.02)
    assert level(array("h", [-32768] * 100).tobytes()) == 0.0
    assert level(b"") == level(bytes(320)) == SILENCE
    told = measure(array("h", [32767, -32768, 0, 5]).tobytes())
    assert (told.peak, told.clipped, told.samples) == (32768, 2, 4)
    assert measure(b"").peak == 0
    with pytest.raises(AudioError, match="byte 2: half"):
        level(bytes(3))
    meter = SilenceMeter(-50)
    assert [meter.feed(frame) for frame in (bytes(320), sine(440, 0.02, 8000), bytes(320), bytes(320))] == [
        True,
        False,
        True,
        True,
    ]
    assert (meter.share, meter.silent_ms) == (0.75, 40.0)
    assert SilenceMeter().share == 0.0


def test_comfort_noise_is_as_loud_as_it_is_said_to_be():
    source = ComfortNoise(8000, dbov=-60, seed=1)
    frames = [source.frame() for _ in range(200)]
    assert all(len(frame) == 320 for frame in frames)
    assert level(b"".join(frames)) == pytest.approx(-60, abs=0.5)
    assert len(set(frames)) > 100
    again = ComfortNoise(8000, dbov=-60, seed=1)
    assert [again.frame() for _ in range(200)] == frames
    with pytest.raises(AudioError, match="no comfort"):
        ComfortNoise(dbov=0)


def test_channels_are_mixed():
    assert array("h", mixed_to_mono(array("h", [10, 20, -10, -20]).tobytes(), 2)).tolist() == [15, -15]
    assert mixed_to_mono(b"ab", 1) == b"ab"
    with pytest.raises(AudioError, match="byte 4: the last of 2 channels is missing"):
        mixed_to_mono(bytes(6), 2)


def test_an_error_of_audio_names_its_place_wherever_it_goes():
    error = pickle.loads(pickle.dumps(AudioError("half a sample", stream="MZ1", offset=7)))
    assert isinstance(error, ValidationError)
    assert str(error) == "stream MZ1 byte 7: half a sample"
    assert (error.code, error.details["stream"], error.details["offset"]) == ("audio_invalid", "MZ1", 7)


class XorSealer:
    """Enough of a sealer to see what reaches the disk: the scope is the key."""

    async def seal(self, data: bytes, scope: SealScope) -> bytes:
        return bytes([len(scope.subject)]) + bytes(byte ^ 0xA5 for byte in data)

    async def open(self, sealed: bytes, scope: SealScope) -> bytes:
        if sealed[0] != len(scope.subject):
            raise SealBroken("another scope")
        return bytes(byte ^ 0xA5 for byte in sealed[1:])

    async def destroy(self, tenant: str, subject: str) -> bool:
        return False


async def test_a_recording_reaches_the_disk_sealed_and_whole(tmp_path: Path):
    sealer: Sealer = XorSealer()
    scope, path, pcm = SealScope("harbour", "caller", "calls.audio"), tmp_path / "call-1.wav", noise(0.5)
    await keep_recording(path, pcm, 8000, sealer=sealer, scope=scope, encoding="PCM16")
    assert [each.name for each in tmp_path.iterdir()] == ["call-1.wav"]
    assert path.stat().st_mode & 0o777 == 0o600
    kept = path.read_bytes()
    assert b"RIFF" not in kept
    assert pcm[:64] not in kept
    assert (await open_recording(path, sealer=sealer, scope=scope)).pcm == pcm
    with pytest.raises(SealBroken):
        await open_recording(path, sealer=sealer, scope=SealScope("harbour", "somebody else", "calls.audio"))
    with pytest.raises(AudioError, match="cannot be opened"):
        await open_recording(tmp_path / "nobody.wav", sealer=sealer, scope=scope)
    with pytest.raises(AudioError, match="cannot be written"):
        await keep_recording(tmp_path / "no" / "folder.wav", pcm, 8000, sealer=sealer, scope=scope)


@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(_audio.__path__)))
def test_the_docstring_examples_are_true(name: str):
    assert doctest.testmod(importlib.import_module(f"{_audio.__name__}.{name}")).failed == 0
