"""The memory of a thousand calls: little for each that is idle, and after an hour no more than after half of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import tracemalloc
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from calls_support import event

from orchestrator_calls.journal import Lease, MemoryJournal, Snapshot
from orchestrator_calls.responder import Remember, Say, Step, TurnContext
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.virtual_time import LoopClock, run

logger = logging.getLogger(__name__)

MINUTE = 60.0
PAUSE = 10.0
"""Seconds from one turn of a call to the next."""
PAGE = 4096
BEGINNING = (("call_started", {}), ("transcription", {"text": "hello"}))


class Forgetting(MemoryJournal):
    """Keeps what lies behind the last snapshot alone, so that what grows is not the journal."""

    async def save(self, call_id: str, snapshot: Snapshot, *, lease: Lease | None = None) -> None:
        await super().save(call_id, snapshot, lease=lease)
        kept, gone = list[int](), self._by_call[call_id]
        kept = [place for place, each in enumerate(gone) if each.position > snapshot.position]
        for each in gone[: kept[0] if kept else len(gone)]:
            del self._by_id[(each.tenant, each.id)]
        self._by_call[call_id] = [gone[place] for place in kept]


class Brief:
    """Answers in one sentence and remembers the last."""

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        yield Say(f"You said {context.input.text}.", "en-US")
        yield Remember({"last": context.input.text})


def resident() -> float:
    """MiB of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


async def memory_over(calls: int, minutes: int, every: int) -> list[float]:
    """Resident MiB at each interval of so many calls, all of which go on."""
    clock, measured = LoopClock(), list[float]()

    async def talk(runtime: CallRuntime, call: str, first: float) -> None:
        await asyncio.sleep(first)
        await runtime.submit(event("call_started", clock.monotonic(), call=call, id=f"{call}-1", sequence=1), wait=5)
        sequence = 1
        while True:
            await asyncio.sleep(PAUSE)
            sequence += 1
            said = event(
                "transcription",
                clock.monotonic(),
                call=call,
                id=f"{call}-{sequence}",
                sequence=sequence,
                text=f"word {sequence}",
            )
            receipt = await runtime.submit(said, wait=5)
            assert receipt.turn is not None

    journal = Forgetting(clock)
    async with CallRuntime(journal=journal, responder=lambda _: Brief(), clock=clock) as runtime:
        # Spread over a quarter of an hour, so that the calls keep their snapshots at different times.
        spread = minutes * MINUTE / 4 / calls
        talking = [asyncio.create_task(talk(runtime, f"c{n}", n * spread)) for n in range(calls)]
        for _ in range(0, minutes, every):
            await asyncio.sleep(every * MINUTE)
            measured.append(resident())
            assert not any(each.done() for each in talking)
        assert runtime.active == calls
        for each in talking:
            each.cancel()
        await asyncio.wait(talking)
    return measured


def judge(measured: list[float]) -> None:
    """The last third takes no more than the third before it: all calls were there in both."""
    third = len(measured) // 3
    before, after = max(measured[third : 2 * third]), max(measured[2 * third :])
    logger.info("resident MiB: %s", ", ".join(f"{each:.1f}" for each in measured))
    assert after <= before * 1.03


async def memory_of_idle(calls: int) -> float:
    """KiB of each of so many calls that were greeted and have had a turn; their events are in memory here, too."""

    def allocated() -> int:
        # What the process has resident depends on what other tests gave back.
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    clock = LoopClock()
    async with CallRuntime(journal=MemoryJournal(clock), responder=lambda _: Brief(), clock=clock) as runtime:

        async def begin(call: str) -> None:
            for sequence, (kind, payload) in enumerate(BEGINNING, 1):
                made = event(kind, clock.monotonic(), call=call, id=f"{call}-{sequence}", sequence=sequence, **payload)
                await runtime.submit(made, wait=5)

        # What the first calls cost is not theirs alone.
        await asyncio.gather(*(begin(f"first-{number}") for number in range(calls // 10)))
        before = allocated()
        await asyncio.gather(*(begin(f"idle-{number}") for number in range(calls)))
        await asyncio.sleep(1)
        assert runtime.active == calls + calls // 10
        return (allocated() - before) / 1024 / calls


def test_a_thousand_idle_calls_take_64_kib_each_at_most():
    tracemalloc.start()
    try:
        each = run(memory_of_idle(1000))
    finally:
        tracemalloc.stop()
    logger.info("an idle call takes %.1f KiB", each)
    assert each <= 64


@pytest.mark.slow
def test_fifty_calls_take_no_more_after_an_hour_than_after_half_of_it():
    judge(run(memory_over(50, 60, 5)))


@pytest.mark.soak
def test_a_thousand_calls_take_no_more_after_an_hour_than_after_half_of_it():
    judge(run(memory_over(1000, 60, 3)))
