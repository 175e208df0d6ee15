"""The audio of many streams for a long time: memory stays where it is, and every frame is accounted for."""

from __future__ import annotations

import gc

import pytest
from audio_signals import in_pieces, noise

from orchestrator_kernel.process_status import read_status
from orchestrator_performance.audio_optimizer import CallAudio, DtmfDetector, JitterBuffer, dtmf, level


def hear(legs: int, frames: int) -> tuple[int, int, int]:
    """So many legs for so many frames; memory after a tenth of it and at the end, and the keys that were found."""
    audio = CallAudio()
    codec = audio.codec("PCMU")
    wire = [codec.encode(piece) for piece in in_pieces(noise(0.4) + dtmf("5") + bytes(6400), 320)]
    buffers = [audio.open(f"leg-{number}", max_frames=50) for number in range(legs)]
    jitters = [JitterBuffer(modulus=65536) for _ in range(legs)]
    detectors = [DtmfDetector() if number % 10 == 0 else None for number in range(legs)]
    early, found = 0, 0
    for count in range(frames):
        pcm = codec.decode(wire[count % len(wire)])
        for buffer, jitter, detector in zip(buffers, jitters, detectors, strict=True):
            level(pcm)
            if detector is not None:
                found += len(detector.feed(pcm))
            jitter.put(count % 65536, pcm, count * 0.02)
            if (frame := jitter.get()) is not None:
                buffer.put(frame)
            # A reader that is slower than the line: the oldest is lost.
            if count % 10:
                buffer.take()
        if count == frames // 10:
            gc.collect()
            early = read_status().resident
    gc.collect()
    late, stats = read_status().resident, audio.budget.stats()
    assert stats.put == stats.taken + stats.dropped + sum(len(buffer) for buffer in buffers)
    assert stats.dropped > 0
    assert stats.bytes <= legs * 50 * 320
    return early, late, found


@pytest.mark.soak
def test_ten_minutes_of_a_thousand_legs_take_no_more_memory_than_one():
    early, late, found = hear(1000, 30_000)
    assert late - early < 2_000_000, f"{early} bytes grew to {late}"
    assert found == 100 * (30_000 // 50)


def test_a_minute_of_ten_legs_is_accounted_for():
    early, late, found = hear(10, 3000)
    assert late - early < 2_000_000
    assert found == 3000 // 50
