"""The same property as on one process, on two: every event comes in at any of them, and what they tell each other takes its time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from calls_journals import told
from calls_logs import (
    POLICY,
    Delivery,
    Log,
    Run,
    boundaries,
    caller,
    deliver,
    deliveries,
    essence,
    examples,
    logs,
    once,
    spoken,
)
from calls_support import CALL, Echo, Leg, Metronome
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator_calls.call import fold
from orchestrator_calls.events import Event
from orchestrator_calls.journal import Appended, MemoryJournal
from orchestrator_calls.notices import Notice
from orchestrator_calls.runtime import CallRuntime, PeersConfig, Receipt
from orchestrator_kernel.virtual_time import LoopClock, run

BETWEEN = 0.04
"""The longest delay between processes; deliveries leave that much of the window free."""


class Distant(MemoryJournal):
    """Every write and every look takes a while; hints come late, and some get lost."""

    def __init__(self, clock: LoopClock, seed: int) -> None:
        super().__init__(clock)
        self.random = random.Random(seed)

    async def append(self, events: Sequence[Event], **options) -> list[Appended]:
        await asyncio.sleep(self.random.choice([0.0, 0.002, 0.01]))
        return await super().append(events, **options)

    async def news(self, after, **options):
        await asyncio.sleep(self.random.choice([0.0, 0.001, 0.005]))
        return await super().news(after, **options)

    def hint(self, owner: str, call_id: str, sender: str) -> None:
        delay = self.random.choice([0.0, 0.003, BETWEEN / 2, None])
        if delay is not None:
            asyncio.get_running_loop().call_later(delay, super().hint, owner, call_id, sender)


async def _deliver(log: Log, delivery: Delivery, seed: int, runs: list[Run]) -> None:
    clock, leg, notices = LoopClock(), Leg(), list[Notice]()
    journal = Distant(clock, seed)
    receipts: list[Receipt] = []
    places = [journal.random.randrange(2) for _ in delivery]
    runtimes = [
        CallRuntime(
            journal=journal,
            responder=lambda _: Echo(),
            speech=Metronome(),
            clock=clock,
            policy=POLICY,
            observe=notices.append,
            peers=PeersConfig(name=f"p{n}", lease=1.0, poll=BETWEEN / 2),
        )
        for n in range(2)
    ]

    async def submit(at: float, event: Event, place: int) -> None:
        await asyncio.sleep(at)
        receipts.append(await runtimes[place].submit(replace(event, received_at=clock.now())))

    async with AsyncExitStack() as stack:
        for runtime in runtimes:
            await stack.enter_async_context(runtime)
        async with asyncio.TaskGroup() as tasks:
            for (at, event), place in zip(delivery, places, strict=True):
                tasks.create_task(submit(at, event, place))
        await asyncio.sleep(log.events[-1][0] + log.tail + 9.0 - clock.monotonic())
        call = await runtimes[0].view(CALL)
        kept = await journal.read(CALL)
    runs.append(Run(call, kept, leg, notices, receipts))


def deliver_to_two(log: Log, delivery: Delivery, seed: int) -> Run:
    runs: list[Run] = []
    run(_deliver(log, delivery, seed, runs))
    return runs[0]


CASES = logs(media=False).flatmap(
    lambda log: st.tuples(st.just(log), deliveries(log, (0.0, 0.0, 0.06, 0.15, 0.2)), st.integers(0, 10_000))
)


def compare(case: tuple[Log, Delivery, int]) -> None:
    log, delivery, seed = case
    straight = deliver(log, log.events)
    shared = deliver_to_two(log, delivery, seed)
    assume(not boundaries(log, straight))
    assume(not boundaries(log, shared))
    assert shared.call.state is straight.call.state
    assert spoken(shared.call) == spoken(straight.call)
    assert caller(shared.call) == caller(straight.call)
    assert essence(shared.call) == essence(straight.call)
    assert told(fold(shared.journal)) == told(shared.call)
    assert once(shared.notices)
    assert len([each for each in shared.receipts if each.duplicate]) == len(delivery) - len(log.events)


@pytest.mark.slow
@examples(250)
@given(CASES)
def test_calls_on_two_processes(case):
    compare(case)


@pytest.mark.soak
def test_calls_on_two_processes_at_length():
    @examples(3000)
    @given(CASES)
    def at_length(case: tuple[Log, Delivery, int]) -> None:
        compare(case)

    at_length()
