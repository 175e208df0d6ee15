"""WAV files: what is written is read, and what is broken is told by its byte."""

from __future__ import annotations

import io
import struct
import wave
from array import array
from pathlib import Path

import pytest
from audio_signals import sine
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_performance.audio_optimizer import AudioError, load_wav, read_wav, write_wav

TONE = sine(440, 0.1, 8000)


def wav_file(
    tag: int, bits: int, data: bytes, *, channels: int = 1, rate: int = 8000, extensible: bool = False
) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * frame, frame, bits)
    if extensible:
        form += struct.pack("<HHIH14s", 22, bits, 0, tag, bytes(14))
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def test_what_is_written_is_read_by_us_and_by_python():
    data = write_wav(TONE, 8000)
    assert read_wav(data).pcm == TONE
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.readframes(10_000)) == (8000, 1, TONE)


def test_what_python_writes_is_read():
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 16000, 0, "NONE", ""))
        writer.writeframes(TONE)
    wav = read_wav(file.getvalue())
    assert (wav.pcm, wav.sample_rate, wav.encoding, wav.channels) == (TONE, 16000, "PCM16", 1)
    assert wav.seconds == pytest.approx(0.05)


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA"])
def test_files_of_the_telephone(encoding: str):
    data = write_wav(TONE, 8000, encoding=encoding)
    wav = read_wav(data)
    assert wav.encoding == encoding
    assert len(data) < len(TONE) // 2 + 80
    assert max(abs(a - b) for a, b in zip(array("h", wav.pcm), array("h", TONE), strict=True)) < 1024


def test_other_depths_and_several_channels():
    assert array("h", read_wav(wav_file(1, 8, bytes([0, 128, 255]))).pcm).tolist() == [-32768, 0, 127 << 8]
    assert array("h", read_wav(wav_file(1, 24, b"\xff\x34\x12")).pcm).tolist() == [0x1234]
    assert array("h", read_wav(wav_file(1, 32, b"\0\0\x34\x12")).pcm).tolist() == [0x1234]
    stereo = array("h", [100, 300, -100, -300]).tobytes()
    for extensible in (False, True):
        assert array("h", read_wav(wav_file(1, 16, stereo, channels=2, extensible=extensible)).pcm).tolist() == [
            200,
            -200,
        ]


def test_a_file_whose_writer_could_not_go_back_is_read_to_its_end():
    data = bytearray(write_wav(TONE, 8000))
    for size in (0, 0xFFFF_FFFF):
        struct.pack_into("<I", data, 40, size)
        assert read_wav(bytes(data)).pcm == TONE


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "stream f byte 0: no RIFF header"),
        (b"OggS" + bytes(40), "stream f byte 0: no RIFF header"),
        (write_wav(TONE, 8000)[:36], "stream f byte 36: no samples in it"),
        (write_wav(TONE, 8000)[:25], "stream f byte 25: its format is cut off"),
        (write_wav(TONE, 8000)[:-7], "stream f byte 1637: cut off: 1600 bytes of samples are told, 1593 are there"),
        (wav_file(1, 16, b"abc"), "stream f byte 58: the last sample is cut off"),
        (wav_file(3, 32, bytes(4)), "stream f byte 32: its format 0x0003 is neither PCM nor G.711"),
        (wav_file(1, 12, bytes(4)), "stream f byte 46: samples of 12 bits"),
        (wav_file(1, 16, bytes(4), channels=0), "stream f byte 34: 0 channels"),
        (wav_file(1, 16, bytes(4), rate=1), "stream f byte 36: 1 samples a second"),
        (b"RIFF\x0c\0\0\0WAVEdata\4\0\0\0abcd", "stream f byte 12: its samples come before their format"),
        (write_wav(TONE, 8000) + bytes(5000), "stream f byte 6000: larger than 6000 bytes"),
    ],
)
def test_what_is_broken_is_told_by_its_byte(data: bytes, message: str):
    with pytest.raises(AudioError) as refusal:
        read_wav(data, stream="f", max_bytes=6000)
    assert refusal.value.message.startswith(message)
    assert refusal.value.details["stream"] == "f"


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_no_bytes_bring_anything_but_audio_or_one_error(junk: bytes, place: int, value: int):
    broken = bytearray(write_wav(TONE[:64], 8000) + junk)
    broken[place] = value
    for data in (junk, bytes(broken), b"RIFF\0\0\0\0WAVE" + junk):
        assert told(data)


def told(data: bytes) -> bool:
    """Whole samples, or the byte at which it is broken."""
    try:
        return len(read_wav(data).pcm) % 2 == 0
    except AudioError as error:
        return error.offset is not None


def test_files(tmp_path: Path):
    path = tmp_path / "tone.wav"
    path.write_bytes(write_wav(TONE, 8000))
    assert load_wav(path).pcm == TONE
    with pytest.raises(AudioError, match=r"nobody\.wav: cannot be opened: No such file"):
        load_wav(tmp_path / "nobody.wav")
    with pytest.raises(AudioError, match="half a 16-bit sample"):
        write_wav(b"\0", 8000)
    with pytest.raises(AudioError, match="is not written as MP3"):
        write_wav(b"", 8000, encoding="MP3")
