"""Several processes on one journal: each a runtime of its own, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from calls_support import CALL, Echo, FlakyJournal, Leg, Stage, event, virtual, working

from orchestrator_calls.events import CallState
from orchestrator_calls.notices import EventKept
from orchestrator_calls.runtime import PeersConfig
from orchestrator_kernel.virtual_time import LoopClock

sleep = asyncio.sleep
LEASE = 1.0
GREETING = "Good evening, this is the desk."


@asynccontextmanager
async def processes(count: int, **options) -> AsyncIterator[list[Stage]]:
    journal = FlakyJournal(LoopClock())
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                working(journal=journal, peers=PeersConfig(name=f"p{n}", lease=LEASE), **options)
            )
            for n in range(count)
        ]


def kill(stage: Stage) -> None:
    """The process dies: nothing of it runs any more."""
    runtime = stage.runtime
    assert runtime._hosting.peers is not None
    for tasks in (runtime._hosting.calls, runtime._legs, runtime._work, runtime._hosting.peers._tasks):
        for task in tasks:
            task.cancel()
    runtime._hosting.peers.stop = _nothing
    stage.journal._listening.pop(runtime._hosting.peers.name)


async def _nothing() -> None:
    """The dead release nothing."""


@virtual
async def test_whoever_gets_an_event_answers_it_with_what_the_owner_says():
    async with processes(3) as stages:
        first = await stages[0].tell("call_started", wait=5, sequence=1)
        assert first.turn is not None
        for number in range(2, 8):
            stage = stages[number % 3]
            before = asyncio.get_running_loop().time()
            receipt = await stage.tell("transcription", wait=5, sequence=number, text=f"word {number}")
            assert receipt.turn is not None
            assert receipt.turn.sentences[0].text == f"You said word {number}."
            assert asyncio.get_running_loop().time() - before < 0.05
        assert [stage.runtime.active for stage in stages] == [1, 0, 0]
        assert len(await stages[1].said()) == 13


@virtual
async def test_hints_may_get_lost_and_polling_finds_the_news():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        stages[0].journal._listening.clear()
        receipt = await stages[1].tell("transcription", wait=5, sequence=2, text="hello")
        assert receipt.turn is not None


@virtual
async def test_a_copy_at_another_process_gets_the_same_answer_and_nothing_happens_twice():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        one = await stages[0].tell("transcription", id="f", wait=5, sequence=2, text="hello")
        other = await stages[1].tell("transcription", id="f", wait=5, sequence=2, text="hello")
        assert one.turn is not None
        assert other.turn is not None
        assert (other.duplicate, other.turn.sentences) == (True, one.turn.sentences)
        assert len(await stages[1].said()) == 3


@virtual
async def test_keys_that_are_collected_are_acknowledged_at_once_wherever_they_come_in():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        await stages[0].tell("transcription", wait=5, sequence=2, text="code")
        for number, digit in enumerate("12", 3):
            before = asyncio.get_running_loop().time()
            receipt = await stages[1].tell("dtmf", wait=5, sequence=number, digit=digit)
            assert receipt.turn is None
            assert asyncio.get_running_loop().time() - before < 0.5
        receipt = await stages[1].tell("dtmf", wait=9, sequence=5, digit="#")
        assert receipt.turn is not None
        assert receipt.turn.text == "12"


@virtual
async def test_the_calls_of_a_process_that_died_are_taken_over_within_its_lease():
    async with processes(3) as stages:
        calls = [f"c{n}" for n in range(12)]
        for call in calls:
            await stages[0].tell("call_started", wait=5, id=f"{call}-1", sequence=1, call=call)
        assert stages[0].runtime.active == 12
        kill(stages[0])
        receipts = await asyncio.gather(
            *(
                stages[1].tell("transcription", wait=9, id=f"{call}-2", sequence=2, text="hello", call=call)
                for call in calls
            )
        )
        assert asyncio.get_running_loop().time() < LEASE + 0.5
        assert all(receipt.turn is not None for receipt in receipts)
        assert stages[1].runtime.active + stages[2].runtime.active == 12
        for call in calls:
            assert await stages[2].said(call) == [GREETING, "You said hello.", "That was turn 2 of this call."]


@virtual
async def test_what_the_dead_process_had_acknowledged_and_not_answered_is_answered():
    class Slow(Echo):
        async def respond(self, context):
            if context.input.text:
                await sleep(0.5)
            async for step in super().respond(context):
                yield step

    async with processes(2, responder=Slow()) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        waiting = asyncio.create_task(stages[1].tell("transcription", wait=9, id="f", sequence=2, text="hello"))
        await sleep(0.2)
        kill(stages[0])
        receipt = await waiting
        assert receipt.turn is not None
        assert await stages[1].said() == [GREETING, "You said hello.", "That was turn 2 of this call."]


@virtual
async def test_who_has_the_media_socket_owns_the_call():
    leg = Leg()
    async with processes(2) as stages:
        await stages[0].tell("agent_ready", sequence=1, reply_channel="media")
        await stages[0].tell("call_started", sequence=2)
        assert stages[0].runtime.active == 1
        async with stages[1].runtime.media(CALL, leg):
            await sleep(0.5)
            assert [stage.runtime.active for stage in stages] == [0, 1]
            await sleep(3)
            await stages[0].tell("transcription", sequence=3, text="hello")
            await sleep(3)
            assert leg.texts() == [GREETING, "You said hello.", "That was turn 2 of this call."]
            await stages[0].tell("transcription", sequence=4, text="more")
            await sleep(0.3)
            await stages[0].tell("speech_started", sequence=5)
            await sleep(0.1)
            frames = len(leg.frames)
            await sleep(2)
            assert len(leg.frames) == frames
            assert list((await stages[0].call()).turns.values())[-1].interrupted


@virtual
async def test_who_leaves_in_order_hands_the_calls_over_at_once():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        await stages[0].runtime.stop()
        before = asyncio.get_running_loop().time()
        receipt = await stages[1].tell("transcription", wait=9, sequence=2, text="hello")
        assert receipt.turn is not None
        assert asyncio.get_running_loop().time() - before < LEASE / 2


@virtual
async def test_a_process_that_was_only_thought_dead_does_nothing_more_for_its_calls():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        actor = stages[0].runtime._actors[CALL]
        await stages[0].journal.claim(CALL, "p1", force=True)
        await stages[0].journal.append([event("transcription", 1, id="f", sequence=2, text="hello")])
        actor.receive(await stages[0].journal.read(CALL, after=actor.sharing.position), 0.0, "")
        await sleep(0.5)
        assert stages[0].runtime.active == 0
        assert await stages[0].said() in ([GREETING], [GREETING, "You said hello.", "That was turn 2 of this call."])
        # Its next event finds the call with its owner, who has it once the call is loaded there.
        receipt = await stages[1].tell("transcription", wait=5, sequence=3, text="more")
        assert receipt.turn is not None
        assert (await stages[1].said())[-2:] == ["You said more.", "That was turn 3 of this call."]


@virtual
async def test_the_end_is_told_wherever_it_comes_in():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        await stages[1].tell("call_ended", sequence=2)
        await sleep(1)
        assert (await stages[1].call()).state is CallState.ENDED
        assert [stage.runtime.active for stage in stages] == [0, 0]
        late = await stages[1].tell("transcription", wait=5, sequence=3, text="hello")
        assert late.turn is None


@virtual
async def test_a_call_can_be_watched_at_any_process():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        seen: list[str] = []
        states: list[CallState] = []

        def tell(notice) -> None:
            if isinstance(notice, EventKept):
                seen.append(notice.event.type.value)
            else:
                states.append(notice.after)

        watching = asyncio.create_task(stages[1].runtime.follow(CALL, tell))
        await sleep(1)
        assert seen == []
        await stages[0].tell("transcription", wait=5, sequence=2, text="hello")
        await stages[0].tell("call_ended", sequence=3)
        await watching
        assert seen == ["transcription", "turn_opened", "turn_answered", "turn_closed", "call_ended"]
        assert states == [CallState.ENDED]
        await sleep(0.1)
        assert await stages[1].runtime.state(CALL) is CallState.ENDED


@virtual
async def test_a_call_that_was_claimed_for_an_event_while_it_was_adopted_goes_on():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        hosting, journal = stages[0].runtime._hosting, stages[0].journal
        row = await journal.call(CALL)
        stale = await journal.claim(CALL, "p0")
        fresh = await journal.claim(CALL, "p0")
        assert row is not None
        assert stale is not None
        assert fresh is not None
        hosting.actors[CALL].lose()
        await sleep(0.1)
        await hosting.actor(row, fresh)
        await hosting.take_over(row, stale)
        assert hosting.actors[CALL].lease == fresh
        receipt = await stages[1].tell("transcription", wait=5, sequence=2, text="hello")
        assert receipt.turn is not None


@virtual
async def test_a_call_that_stopped_at_its_owner_goes_on_there_whoever_hears_of_it():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        assert (await stages[1].tell("transcription", wait=5, sequence=2, text="one")).turn is not None
        for task in stages[0].runtime._hosting.calls:
            task.cancel()
        await sleep(0.1)
        before = asyncio.get_running_loop().time()
        receipt = await stages[1].tell("transcription", wait=9, sequence=3, text="two")
        assert receipt.turn is not None
        assert asyncio.get_running_loop().time() - before < 0.5
        assert [stage.runtime.active for stage in stages] == [1, 0]
