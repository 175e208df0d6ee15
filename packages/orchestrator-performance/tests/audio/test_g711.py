"""G.711, against the tables of the recommendation: decision values and quantized values, written out from its segments."""

from __future__ import annotations

import bisect
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.contracts import AudioCodecContract
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.ports import AudioCodec
from orchestrator_performance._audio.g711 import ulaw_encoding
from orchestrator_performance._audio.native import audioop
from orchestrator_performance.audio_optimizer import G711, AudioError, Linear16, transcoding

ALL = array("h", range(-32768, 32768))


def ulaw_table() -> tuple[list[int], list[int]]:
    """Table 2 (positive side): decision values x1 ... x128 and quantized values y0 ... y127, of 14 bits."""
    decisions = [0, 1]
    for segment in range(8):
        steps = 15 if segment == 0 else 16
        for _ in range(steps):
            decisions.append(decisions[-1] + (2 << segment))
    values = [0] + [(decisions[number] + decisions[number + 1]) // 2 for number in range(1, 128)]
    return decisions[:129], values


def alaw_table() -> tuple[list[int], list[int]]:
    """Table 1 (positive side): decision values and quantized values, of 13 bits."""
    decisions = [0]
    for step, count in ((2, 32), (4, 16), (8, 16), (16, 16), (32, 16), (64, 16), (128, 16)):
        for _ in range(count):
            decisions.append(decisions[-1] + step)
    return decisions, [(decisions[number] + decisions[number + 1]) // 2 for number in range(128)]


def test_the_tables_are_those_of_the_recommendation():
    decisions, values = ulaw_table()
    assert (decisions[1], decisions[16], decisions[17], decisions[112], decisions[128]) == (1, 31, 35, 4063, 8159)
    assert (values[0], values[1], values[16], values[127]) == (0, 2, 33, 8031)
    decisions, values = alaw_table()
    assert (decisions[1], decisions[48], decisions[112], decisions[128]) == (2, 128, 2048, 4096)
    assert (values[0], values[32], values[127]) == (1, 66, 4032)


def place_in(decisions: list[int], magnitude: int) -> int:
    return min(127, bisect.bisect_right(decisions, magnitude) - 1)


def expected(law: str, sample: int) -> int:
    """The code of a sample: magnitudes are those of the one's complement, as in the reference software (G.191)."""
    magnitude = ~sample if sample < 0 else sample
    sign = 0 if sample < 0 else 0x80
    if law == "PCMU":
        # The character signal is sent inverted.
        return (~place_in(ulaw_table()[0], magnitude >> 2) & 0x7F) | sign
    # 12 bits of magnitude decide, and the even bits are sent inverted.
    return (place_in(alaw_table()[0], magnitude >> 4 << 1) | sign) ^ 0x55


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_every_sample_has_the_code_of_the_recommendation(either_way: str, law: str):
    table = ulaw_table()[0] if law == "PCMU" else alaw_table()[0]
    shift = 2 if law == "PCMU" else 4
    magnitudes = [place_in(table, number if law == "PCMU" else number << 1) for number in range(32768 >> shift)]
    invert = 0xFF if law == "PCMU" else 0xD5
    codes = bytes(
        (magnitudes[(~sample if sample < 0 else sample) >> shift] ^ invert) & (0x7F if sample < 0 else 0xFF)
        if law == "PCMU"
        else (magnitudes[(~sample if sample < 0 else sample) >> shift] ^ invert) ^ (0x80 if sample < 0 else 0)
        for sample in ALL
    )
    codec = G711(law)
    encoded = b"".join(codec.encode(ALL[start : start + 160].tobytes()) for start in range(0, 65536, 160))
    assert encoded == codes
    assert all(codes[sample + 32768] == expected(law, sample) for sample in range(-32768, 32768, 97))


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_every_code_has_the_value_of_the_recommendation(either_way: str, law: str):
    values = ulaw_table()[1] if law == "PCMU" else alaw_table()[1]
    scale = 4 if law == "PCMU" else 8
    pcm = array("h", G711(law).decode(bytes(range(256))))
    for code in range(256):
        place = ~code & 0x7F if law == "PCMU" else (code ^ 0x55) & 0x7F
        assert pcm[code] == values[place] * scale * (1 if code & 0x80 else -1)


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
@given(codes=st.binary(max_size=400))
def test_what_was_decoded_is_encoded_as_it_was(law: str, codes: bytes):
    codec = G711(law)
    again = codec.encode(codec.decode(codes))
    # The two zeros of mu-law are one sample.
    assert again.replace(b"\x7f", b"\xff") == codes.replace(b"\x7f", b"\xff")


@given(st.lists(st.integers(-40, 40) | st.integers(-32768, 32767), max_size=400))
def test_near_zero_and_everywhere_all_ways_give_the_same(samples: list[int]):
    pcm, codes = array("h", samples).tobytes(), ulaw_encoding()
    assert G711("PCMU").encode(pcm) == bytes(codes[sample & 0xFFFF] for sample in samples)


def test_from_one_law_to_the_other_is_one_translation():
    ulaw, alaw = G711("PCMU"), G711("PCMA")
    codes = bytes(range(256))
    assert codes.translate(transcoding("PCMU", "PCMA")) == alaw.encode(ulaw.decode(codes))
    assert codes.translate(transcoding("PCMA", "PCMU")) == ulaw.encode(alaw.decode(codes))


def test_the_fast_path_differs_where_it_is_said_to():
    if audioop() is None:
        with pytest.raises(ConfigurationError, match=r"orchestrator-performance\[audioop\]"):
            G711("PCMU", fast=True)
        return
    exact, fast = G711("PCMU"), G711("PCMU", fast=True)
    pieces = [ALL[start : start + 1024].tobytes() for start in range(0, 65536, 1024)]
    pairs = list(zip(ALL, b"".join(map(exact.encode, pieces)), b"".join(map(fast.encode, pieces)), strict=True))
    other = [(sample, mine, theirs) for sample, mine, theirs in pairs if mine != theirs]
    assert len(other) == 508
    assert all(sample < 0 and abs(mine - theirs) == 1 for sample, mine, theirs in other)
    assert b"".join(map(G711("PCMA").encode, pieces)) == b"".join(map(G711("PCMA", fast=True).encode, pieces))


def test_what_no_codec_can_encode_is_refused():
    for codec in (G711("PCMU"), G711("PCMA"), Linear16()):
        with pytest.raises(AudioError, match="byte 2: half a 16-bit sample"):
            codec.encode(b"\0\0\0")
        assert codec.encode(b"") == codec.decode(b"") == b""
        assert len(codec.encode(b"\0\0")) in {1, 2}
    with pytest.raises(ValidationError, match=r"MP3 is no law of G\.711"):
        G711("MP3")


class TestUlaw(AudioCodecContract):
    def make(self) -> AudioCodec:
        return G711("PCMU")


class TestAlaw(AudioCodecContract):
    def make(self) -> AudioCodec:
        return G711("PCMA")


class TestLinear(AudioCodecContract):
    tolerance = 0

    def make(self) -> AudioCodec:
        return Linear16()


def test_l16_is_in_network_byte_order():
    assert Linear16().encode(array("h", [1, -2]).tobytes()) == b"\x00\x01\xff\xfe"
