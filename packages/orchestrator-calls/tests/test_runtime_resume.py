"""Calls that go on in another process, from the journal alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from calls_support import CALL, TENANT, Echo, FlakyJournal, Leg, Stage, event, virtual, working

from orchestrator_calls.call import SentenceState, TurnOutcome
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import CallState
from orchestrator_calls.journal import JournalUnavailable
from orchestrator_calls.notices import CallResumed, GapSeen, StateChanged
from orchestrator_calls.phrases import Phrase, default_phrase
from orchestrator_calls.responder import Say, Step, TurnContext
from orchestrator_calls.runtime import Draining
from orchestrator_kernel.ports import SealBroken
from orchestrator_kernel.virtual_time import LoopClock

GREETING = "Good evening, this is the desk."
sleep = asyncio.sleep


class Hesitant(Echo):
    """Says its first sentence at once and the next only after an hour; counts how often it was asked."""

    def __init__(self, before: float = 0.0, between: float = 0.0) -> None:
        self.before, self.between, self.asked = before, between, 0

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        if context.input.text:
            self.asked += 1
            await sleep(self.before)
        async for step in super().respond(context):
            yield step
            if isinstance(step, Say) and context.input.text:
                await sleep(self.between)


@asynccontextmanager
async def crashed(
    responder: Echo | None = None, journal: FlakyJournal | None = None, **options
) -> AsyncIterator[Stage]:
    """A runtime whose process dies at the end of the block: nothing is stopped in order."""
    context = working(responder, journal=journal or FlakyJournal(LoopClock()), answer_timeout=7200, **options)
    stage = await context.__aenter__()
    yield stage
    for tasks in (stage.runtime._hosting.calls, stage.runtime._legs, stage.runtime._work):
        for task in tasks:
            task.cancel()
    await sleep(0)


async def said(stage: Stage) -> list[str]:
    return await stage.said()


@virtual
async def test_a_turn_that_was_not_answered_is_answered_by_the_next_process():
    async with crashed(Hesitant(before=3600)) as first:
        await first.tell("call_started", sequence=1)
        await first.tell("transcription", id="f", sequence=2, text="hello")
        await sleep(1)
    async with working(journal=first.journal) as stage:
        await sleep(1)
        assert await said(stage) == [GREETING, "You said hello.", "That was turn 2 of this call."]
        assert [turn.id for turn in (await stage.call()).turns.values()] == [f"{CALL}/greeting", "f"]


@virtual
async def test_an_input_that_was_kept_and_not_taken_up_is_answered_by_the_next_process():
    async with crashed() as first:
        await first.tell("call_started", sequence=1)
        await sleep(1)
    await first.journal.append([event("transcription", 1, sequence=2, text="hello")])
    async with working(journal=first.journal) as stage:
        await sleep(1)
        assert (await said(stage))[1:] == ["You said hello.", "That was turn 2 of this call."]


@virtual
async def test_half_an_answer_is_written_to_its_end_and_nothing_of_it_twice():
    async with crashed(Hesitant(between=3600)) as first:
        await first.tell("call_started", sequence=1)
        await first.tell("transcription", id="f", sequence=2, text="hello")
        await sleep(1)
        assert await said(first) == [GREETING, "You said hello."]
    responder = Hesitant()
    async with working(responder, journal=first.journal) as stage:
        await sleep(1)
        turn = (await stage.call()).turns["f"]
        assert (turn.outcome, responder.asked) == (TurnOutcome.ANSWERED, 1)
        assert await said(stage) == [GREETING, "You said hello.", "That was turn 2 of this call."]


class Chatty:
    """Never says the same twice; told what it said already, it goes on from there."""

    def __init__(self, between: float = 0.0) -> None:
        self.between, self.said = between, list[Sequence[str]]()

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        self.said.append(context.said)
        for number in range(len(context.said), 3):
            yield Say(f"{number} of {id(self)}.", "en-US")
            await sleep(self.between if number == 0 else 0)


@virtual
async def test_a_responder_that_never_says_the_same_twice_goes_on_after_what_it_said():
    first_of_all, after = Chatty(3600), Chatty()
    async with crashed(first_of_all) as first:
        await first.tell("call_started", sequence=1)
        await sleep(1)
    async with working(after, journal=first.journal) as stage:
        await sleep(1)
        assert after.said == [(f"0 of {id(first_of_all)}.",)]
        assert await said(stage) == [f"0 of {id(first_of_all)}.", f"1 of {id(after)}.", f"2 of {id(after)}."]


@virtual
async def test_an_answer_that_remembered_was_written_to_its_end():
    class Lingering(Echo):
        async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
            async for step in super().respond(context):
                yield step
            await sleep(3600)

    async with crashed(Lingering()) as first:
        await first.tell("call_started", sequence=1)
        await sleep(1)
    responder = Hesitant()
    async with working(responder, journal=first.journal) as stage:
        await sleep(1)
        call = await stage.call()
        assert (call.turns[f"{CALL}/greeting"].outcome, call.memory) == (TurnOutcome.ANSWERED, {"turns": 1})
        assert await said(stage) == [GREETING]


@virtual
async def test_an_answer_of_which_only_a_note_was_kept_is_half_an_answer_too():
    class Noted(Hesitant):
        async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
            async for step in super().respond(context):
                yield step
                if context.input.text:
                    await sleep(3600)

    async with crashed(Noted()) as first:
        await first.tell("call_started", sequence=1)
        await first.tell("transcription", id="f", sequence=2, text="hello")
        await sleep(1)
    async with working(journal=first.journal) as stage:
        await sleep(1)
        assert (await stage.call()).turns["f"].outcome is TurnOutcome.ANSWERED
        assert (await said(stage))[1:] == ["You said hello.", "That was turn 2 of this call."]


LOST = default_phrase(TENANT, "en-US", Phrase.LOST, 1)


@virtual
@pytest.mark.parametrize(
    ("orderly", "after", "heard", "then"),
    [
        (True, 0.5, "You said", ["hello.", "That was turn 2 of this call."]),
        (True, 1.7, "That was turn 2 of", ["this call."]),
        # A crash forgets what was heard in the last second.
        (False, 0.5, "", [LOST, "That was turn 2 of this call."]),
        (False, 0.01, "", [LOST, "That was turn 2 of this call."]),
        (False, 1.9, "That was turn 2 of", ["this call."]),
    ],
)
async def test_speech_goes_on_after_the_last_word_that_was_heard(orderly, after, heard, then):
    first_leg, second_leg = Leg(), Leg()
    open_stage = working(journal=FlakyJournal(LoopClock())) if orderly else crashed()
    async with open_stage as first:
        await first.tell("agent_ready", sequence=1, reply_channel="media")
        media = first.runtime.media(CALL, first_leg)
        await media.__aenter__()
        await first.tell("call_started", sequence=2)
        await sleep(3)
        await first.tell("transcription", id="f", sequence=3, text="hello")
        await sleep(after)
    if orderly:
        assert first_leg.controls[-1][1] == {"type": "bye", "state": "active", "reason": "restart"}
        await media.__aexit__(None, None, None)
    sent = len(first_leg.frames)
    async with working(journal=first.journal) as stage, stage.runtime.media(CALL, second_leg):
        await sleep(5)
        assert second_leg.texts() == then
        cut = [each for each in (await stage.call()).turns["f"].sentences if each.state is SentenceState.CLEARED]
        assert [each.heard for each in cut] == [heard]
        assert not {each.text for each in cut} & set(second_leg.texts())
    assert len(first_leg.frames) == sent


@virtual
async def test_timers_go_on_with_the_time_that_has_passed():
    async with crashed() as first:
        await first.tell("call_started", sequence=1)
        await sleep(1)
    await sleep(1000)
    async with working(journal=first.journal, policy=Policy(idle=900)) as stage:
        await sleep(1)
        assert (stage.runtime.active, (await stage.call()).end_reason) == (0, "abandoned")


@virtual
async def test_a_leg_that_died_with_its_process_is_not_believed_to_be_there():
    async with crashed() as first:
        await first.tell("agent_ready", sequence=1, reply_channel="media")
        await first.runtime.media(CALL, Leg()).__aenter__()
        await first.tell("call_started", sequence=2)
        await sleep(3)
    async with working(journal=first.journal) as stage:
        await sleep(60)
        call = await stage.call()
        assert (call.media_attached, list(call.turns)) == (False, [f"{CALL}/greeting"])


@virtual
async def test_an_end_that_was_kept_and_not_noted_is_noted_and_told():
    async with crashed() as first:
        await first.tell("call_started", sequence=1)
        await sleep(1)
    await first.journal.append([replace(event("call_ended", 1, sequence=2, reason="left"))])
    async with working(journal=first.journal) as stage:
        await sleep(1)
        row = await stage.journal.call(CALL)
        assert row is not None
        assert (row.state, stage.runtime.active) == (CallState.ENDED, 0)
        assert [(each.before, each.after) for each in stage.told(StateChanged)] == [(CallState.ACTIVE, CallState.ENDED)]


@virtual
async def test_nothing_is_told_again_that_was_told_before():
    async with crashed() as first:
        await first.tell("call_started", sequence=1)
        await first.tell("dtmf", sequence=4, digit="1")
        await sleep(1)
        assert len(first.told(GapSeen)) == 1
    async with working(journal=first.journal) as stage:
        await sleep(1)
        assert [type(each) for each in stage.notices] == [CallResumed]
        await stage.tell("transcription", wait=1, sequence=5, text="hello")
        assert stage.told(GapSeen) == []
        assert (await said(stage))[-2] == "You said hello."


@virtual
async def test_whoever_takes_a_call_up_is_told_what_it_remembers_of_the_caller():
    async with crashed() as first:
        await first.tell("call_started", sequence=1, caller="+4930901820")
        await first.tell("transcription", wait=1, sequence=2, text="hello")
        assert first.told(CallResumed) == []
    async with working(journal=first.journal) as stage:
        [resumed] = stage.told(CallResumed)
        assert (resumed.call_id, resumed.tenant, resumed.caller) == (CALL, TENANT, "+4930901820")
        assert resumed.memory == {"turns": 2}


@virtual
async def test_a_call_is_taken_up_by_its_next_event_too():
    class Overlooked(FlakyJournal):
        async def calls(self, **_):
            return []

    async with crashed(journal=Overlooked(LoopClock())) as first:
        await first.tell("call_started", sequence=1)
        await sleep(1)
    async with working(journal=first.journal) as stage:
        assert stage.runtime.active == 0
        receipt = await stage.tell("transcription", wait=5, sequence=2, text="hello")
        assert receipt.turn is not None
        assert await said(stage) == [GREETING, "You said hello.", "That was turn 2 of this call."]


@virtual
async def test_one_call_that_cannot_be_read_does_not_keep_the_others_down():
    class Damaged(FlakyJournal):
        async def read(self, call_id, **options):
            if call_id == "broken":
                raise SealBroken("changed")
            return await super().read(call_id, **options)

    journal = Damaged(LoopClock())
    async with crashed(journal=journal) as first:
        await first.tell("call_started", id="b", sequence=1)
    await journal.bind("t1", "broken")
    async with working(journal=journal) as stage:
        assert stage.runtime.active == 1


@virtual
async def test_a_journal_that_cannot_be_read_stops_the_start():
    class Closed(FlakyJournal):
        async def calls(self, **_options):
            raise JournalUnavailable("closed")

    with pytest.raises(JournalUnavailable):
        async with working(journal=Closed()):
            pass


@virtual
async def test_a_runtime_that_was_stopped_takes_nothing_up():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
    with pytest.raises(Draining):
        await stage.tell("transcription", sequence=2, text="hello")
    with pytest.raises(Draining):
        await stage.tell("call_started", call="new")


@virtual
async def test_the_same_journal_gives_the_same_dialogue_however_often_the_process_dies():
    journal = FlakyJournal(LoopClock())
    texts = ["one", "two", "code", "1", "2", "goodbye"]
    for number, text in enumerate(["", *texts], 1):
        async with crashed(journal=journal) as stage:
            if not text:
                await stage.tell("call_started", sequence=number)
            elif text.isdigit():
                await stage.tell("dtmf", sequence=number, digit=text)
            else:
                await stage.tell("transcription", sequence=number, text=text)
            await sleep(0.5)
    straight = FlakyJournal(LoopClock())
    async with working(journal=straight) as other:
        await other.tell("call_started", sequence=1)
        for number, text in enumerate(texts, 2):
            kind, payload = ("dtmf", {"digit": text}) if text.isdigit() else ("transcription", {"text": text})
            await other.tell(kind, sequence=number, **payload)
            await sleep(0.5)
        spoken = await other.said()
    async with working(journal=journal) as last:
        assert await last.said() == spoken
        assert "You said 12." in spoken
