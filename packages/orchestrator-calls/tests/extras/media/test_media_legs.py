"""Many streams for a long time: memory stays where it is, and every frame is accounted for. The legs are those of `bench_audio_legs`."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import pytest
from bench_audio_legs import CYCLE, SENTENCE, make_legs

from orchestrator_calls.events import EventType
from orchestrator_kernel.ports import SystemClock
from orchestrator_kernel.process_status import read_status


class Ticks(SystemClock):
    """A clock that goes on as frames do."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at


async def serve(count: int, cycles: int) -> tuple[int, int]:
    """So many legs for so many times six seconds; the process's memory after a tenth of it, and at the end."""
    clock = Ticks()
    audio, legs = make_legs(count, max(1, count // 10), rate=8000, clock=clock)
    early = 0
    for number in range(cycles * CYCLE):
        clock.at += 0.02
        for leg in legs:
            await leg.tick()
        # The recognizer's threads are as fast as the frames would be.
        while len(asyncio.all_tasks()) > count + 1:
            await asyncio.sleep(0.001)
        if number == cycles * CYCLE // 10:
            gc.collect()
            early = read_status().resident
    gc.collect()
    late = read_status().resident
    events = sum((leg.events for leg in legs), Counter[EventType]())
    reports = sum((leg.reports for leg in legs), Counter[EventType]())
    # Whoever began in the middle of an utterance, or of a sentence, has one more or one less.
    for found, expected in (
        (events[EventType.TRANSCRIPTION], cycles * count),
        (events[EventType.DTMF], cycles * sum(leg.listens for leg in legs)),
        (reports[EventType.PLAYBACK_FINISHED], cycles * count),
    ):
        assert abs(found - expected) <= count, (found, expected)
    assert abs(sum(leg.sent for leg in legs) - cycles * count * SENTENCE) <= count * SENTENCE
    stats = audio.budget.stats()
    # What is said is kept, and the silence in between is not.
    assert 0.2 < stats.put / (cycles * CYCLE * count) < 0.8
    assert stats.put == stats.taken + stats.dropped + sum(each.frames for each in audio.budget.streams())
    for leg in legs:
        await leg.close()
    assert (audio.budget.stats().streams, audio.budget.stats().bytes) == (0, 0)
    return early, late


@pytest.mark.soak
async def test_ten_minutes_of_a_thousand_legs_take_no_more_memory_than_one() -> None:
    early, late = await serve(1000, 100)
    assert late - early < 8_000_000, f"{early} bytes grew to {late}"


async def test_a_minute_of_ten_legs_is_accounted_for() -> None:
    early, late = await serve(10, 10)
    assert late - early < 2_000_000
