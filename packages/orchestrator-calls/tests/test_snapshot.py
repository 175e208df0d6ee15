"""Calls that last: snapshots of them, what is forgotten, and that nobody notices."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from dataclasses import replace

from calls_journals import journals, told
from calls_support import CALL, TENANT, Echo, FlakyJournal, event, virtual, working
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls._snapshot import dump, restore
from orchestrator_calls.call import Call, fold
from orchestrator_calls.decide import Policy, decide
from orchestrator_calls.journal import MemoryJournal, Snapshot
from orchestrator_calls.ordering import Sequencer
from orchestrator_calls.runtime import CallRuntime, PeersConfig
from orchestrator_calls.transcript import as_json
from orchestrator_kernel.virtual_time import LoopClock

sleep = asyncio.sleep
POLICY = Policy()


def copied(call: Call) -> Call:
    fresh = Call(CALL, TENANT)
    assert restore(dump(call, {"agent": (3, [5])}), fresh) == {"agent": (3, [5])}
    return fresh


@given(journals().filter(bool), st.data())
def test_a_call_from_its_snapshot_goes_on_as_the_call_does(journal, data):
    cut = data.draw(st.integers(1, len(journal)))
    call = Call(CALL, TENANT)
    for each in journal[:cut]:
        call.apply(each)
    again = copied(call)
    assert told(again) == told(call)
    for each in journal[cut - 1 :]:
        assert again.apply(each) == call.apply(each)
    assert told(again) == told(call)


@given(journals().filter(bool))
def test_what_is_to_be_done_does_not_change_by_forgetting(journal):
    call = Call(CALL, TENANT)
    for each in journal:
        call.apply(each)
    before = decide(call, POLICY), call.state, call.channel, call.memory, call.waiting_inputs()
    call.compact(len(journal) // 2, turns=1, events=1)
    assert (decide(call, POLICY), call.state, call.channel, call.memory, call.waiting_inputs()) == before
    assert told(copied(call)) == told(call)


def test_counts_go_on_where_they_were():
    sequencer = Sequencer(0.3)
    sequencer.take_up({"agent": (4, [6])})
    assert sequencer.counts == {"agent": (4, [6])}


def test_a_snapshot_of_another_version_is_not_read():
    call = fold([_started()])
    data = json.loads(dump(call, {}))
    assert restore(json.dumps({**data, "version": 99}).encode(), Call(CALL, TENANT)) is None


def _started():
    return replace(event("call_started", 0), position=1)


class Counting(FlakyJournal):
    """Counts what is read."""

    read_events = 0

    async def read(self, call_id, **options):
        found = await super().read(call_id, **options)
        self.read_events += len(found)
        return found


async def talk(stage, first: int, last: int) -> None:
    for number in range(first, last):
        await stage.tell("transcription", wait=5, id=f"e{number}", sequence=number, text=f"word {number}")
        await sleep(0.5)


@virtual
async def test_a_long_call_stays_small_and_is_resumed_from_its_snapshot():
    journal = Counting(LoopClock())
    async with working(journal=journal, policy=Policy(silence=900)) as stage:
        await stage.tell("call_started", sequence=1)
        await talk(stage, 2, 400)
        call = stage.runtime._actors[CALL].call
        assert len(call.turns) < 160
        assert len(call._log) < 160
        assert len(call._own) < 600
        # What is shown is whole all the same.
        assert len((await stage.call()).turns) == call.turn_count == 399
        old = await stage.tell("transcription", wait=5, id="e10", sequence=10, text="word 10")
        assert old.turn is not None
        assert (old.duplicate, old.turn.sentences[0].text) == (True, "You said word 10.")
    journal.read_events = 0
    async with working(journal=journal, policy=Policy(silence=900)) as stage:
        assert journal.read_events < 400
        await talk(stage, 400, 420)
        turns = as_json(await stage.call())["turns"]
        assert [turn["spoken"][-1] for turn in turns[1:]] == [f"That was turn {n} of this call." for n in range(2, 420)]


@virtual
async def test_a_long_call_moves_between_processes():
    journal = Counting(LoopClock())

    async def process(name: str):
        context = working(journal=journal, policy=Policy(silence=900), peers=PeersConfig(name=name))
        return context, await context.__aenter__()

    first, one = await process("p1")
    second, two = await process("p2")
    await one.tell("call_started", sequence=1)
    for number in range(2, 300):
        stage = (one, two)[number % 2]
        receipt = await stage.tell("transcription", wait=5, id=f"e{number}", sequence=number, text=f"word {number}")
        assert receipt.turn is not None
        assert receipt.turn.sentences[0].text == f"You said word {number}."
        await sleep(0.2)
    await first.__aexit__(None, None, None)
    journal.read_events = 0
    receipt = await two.tell("transcription", wait=5, id="e300", sequence=300, text="word 300")
    assert receipt.turn is not None
    assert receipt.turn.sentences[-1].text == "That was turn 300 of this call."
    assert journal.read_events < 400
    await second.__aexit__(None, None, None)


@virtual
async def test_a_snapshot_that_cannot_be_kept_or_read_costs_nothing_but_time():
    class Careless(FlakyJournal):
        async def save(self, call_id, snapshot, **options):
            await super().save(call_id, Snapshot(snapshot.position, b'{"version": 0}'), **options)

    journal = Careless(LoopClock())
    async with working(journal=journal, policy=Policy(silence=900)) as stage:
        await stage.tell("call_started", sequence=1)
        await talk(stage, 2, 150)
        assert await journal.snapshot(CALL) is not None
    async with working(journal=journal, policy=Policy(silence=900)) as stage:
        receipt = await stage.tell("transcription", wait=5, id="e150", sequence=150, text="x")
        assert receipt.turn is not None
        assert receipt.turn.sentences[-1].text == "That was turn 150 of this call."


@virtual
async def test_idle_calls_are_small():
    count = 50
    clock = LoopClock()
    runtime = CallRuntime(journal=MemoryJournal(clock), responder=lambda _: Echo(), clock=clock)
    async with runtime:
        tracemalloc.start()
        try:
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for number in range(count):
                await runtime.submit(replace(_started(), id=f"s{number}", call_id=f"c{number}"), wait=5)
            gc.collect()
            each = (tracemalloc.get_traced_memory()[0] - before) / count
        finally:
            tracemalloc.stop()
        # With the journal's own copy in memory.
        assert each < 64 * 1024
