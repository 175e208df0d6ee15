"""Calls on a media leg, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from calls_support import CALL, Echo, Leg, Metronome, Stage, virtual, working

from orchestrator_calls.call import SentenceState, Turn
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import CallState, EventType
from orchestrator_calls.journal import JournalUnavailable, MemoryJournal
from orchestrator_calls.notices import TurnTimed
from orchestrator_calls.playback import MediaClosed, Player
from orchestrator_calls.responder import HangUp, Say, Step, TurnContext
from orchestrator_calls.runtime import CallNotFound, CallRuntime
from orchestrator_kernel.ports import SpeechUnavailable
from orchestrator_kernel.virtual_time import LoopClock

GREETING = "Good evening, this is the desk."
sleep = asyncio.sleep


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def on_leg(
    responder: Echo | None = None, leg: Leg | None = None, **options: Any
) -> AsyncIterator[tuple[Stage, Leg]]:
    """A call on a media leg, three seconds old, whose greeting was heard."""
    leg = leg or Leg()
    async with working(responder, **options) as stage:
        await stage.tell("agent_ready", sequence=1, reply_channel="media")
        async with stage.runtime.media(CALL, leg) as player:
            leg.player = player  # type: ignore[attr-defined]
            await stage.tell("call_started", sequence=2)
            await sleep(3)
            yield stage, leg


def told(leg: Leg, *kinds: str) -> list[tuple[str, str]]:
    messages = [(str(each["type"]), str(each.get("key", each.get("reason", "")))) for _, each in leg.controls]
    return [message for message in messages if not kinds or message[0] in kinds]


async def turn_of(stage: Stage, turn: str) -> Turn:
    return (await stage.call()).turns[turn]


@virtual
async def test_a_conversation_on_a_media_leg():
    async with on_leg() as (stage, leg):
        await stage.tell("transcription", id="f", sequence=3, text="goodbye")
        await sleep(2)
        assert leg.texts() == [GREETING, "Goodbye then."]
        assert told(leg)[-1] == ("hang_up", "hang_up/f")
        await stage.tell("call_ended", sequence=4, reason="done")
        await sleep(1)
        assert told(leg)[-1] == ("bye", "done")
        assert stage.runtime.active == 0
        turn = await turn_of(stage, "f")
        assert (turn.heard, turn.sentences[0].latency_ms) == ("Goodbye then.", 0.0)
        assert [(each.turn, each.channel, each.seconds) for each in stage.told(TurnTimed)] == [
            (f"{CALL}/greeting", "media", 0.0),
            ("f", "media", 0.0),
        ]


# --- barge-in ---------------------------------------------------------------------------------------------------------------


@virtual
async def test_who_begins_to_speak_is_not_talked_over_and_the_words_that_were_heard_are_kept():
    async with on_leg() as (stage, leg):
        await stage.tell("transcription", id="f", sequence=3, text="hello")
        await sleep(1.3)
        await stage.tell("speech_started", sequence=4)
        sent = len(leg.frames)
        await stage.tell("transcription", id="g", sequence=5, text="wait")
        await sleep(0.5)
        assert leg.texts() == [GREETING, "You said hello.", "That was turn 2 of this call.", "You said wait."]
        assert told(leg, "clear") == [("clear", "f/1")]
        assert [at for at, _ in leg.frames[sent:]][0] >= 4.3
        await sleep(3)
        turn = await turn_of(stage, "f")
        assert (turn.interrupted, turn.heard) == (True, "You said hello. That was turn")


@virtual
async def test_falling_silent_does_not_wait_for_the_journal():
    async with on_leg() as (stage, leg):
        await stage.tell("transcription", sequence=3, text="hello")
        await sleep(1)
        stage.journal.delay = 0.5
        sending = asyncio.create_task(stage.tell("speech_started", sequence=4))
        await sleep(0.001)
        sent = len(leg.frames)
        await sleep(2)
        assert len(leg.frames) == sent
        await sending


class Story(Echo):
    """Tells a sentence every second, until it is stopped."""

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        if not context.input.text:
            async for step in super().respond(context):
                yield step
            return
        for number in range(5):
            yield Say(f"This is part {number} of it.", "en-US")
            await sleep(1.0)


@virtual
@pytest.mark.parametrize("reports", [False, True])
async def test_nothing_more_of_an_answer_is_spoken_though_it_is_still_being_written(reports):
    async with on_leg(Story(), Leg(reports=reports)) as (stage, leg):
        await stage.tell("transcription", id="f", sequence=3, text="tell me")
        await sleep(1.9)
        stage.journal.delay = 0.2
        sending = asyncio.create_task(stage.tell("speech_started", sequence=4))
        await sleep(0.001)
        sent = len(leg.frames)
        await sending
        stage.journal.delay = 0.0
        await sleep(8)
        assert len(leg.frames) == sent
        assert len((await turn_of(stage, "f")).sentences) == 5
        assert {each.state for each in (await turn_of(stage, "f")).sentences[1:]} == {SentenceState.CLEARED}


@virtual
async def test_a_beginning_that_could_not_be_kept_interrupts_what_was_spoken_and_nothing_after():
    async with on_leg() as (stage, leg):
        await stage.tell("transcription", sequence=3, text="hello")
        await sleep(0.5)
        stage.journal.away = True
        with pytest.raises(JournalUnavailable):
            await stage.tell("speech_started", sequence=4)
        stage.journal.away = False
        await stage.tell("transcription", sequence=4, text="again")
        await sleep(0.2)
        assert leg.texts()[-1] == "You said again."


@virtual
async def test_a_beginning_that_belongs_before_the_answer_does_not_stop_it():
    async with on_leg() as (stage, leg):
        await stage.tell("transcription", id="f", sequence=4, text="hello")
        await sleep(0.5)
        await stage.tell("speech_started", sequence=3)
        await sleep(3)
        assert not (await turn_of(stage, "f")).interrupted
        assert told(leg, "clear") == []


@virtual
async def test_who_speaks_on_before_the_answer_is_there_does_not_hear_it():
    async with on_leg() as (stage, leg):
        await stage.tell("speech_started", sequence=4)
        await stage.tell("transcription", id="f", sequence=3, text="hello")
        await sleep(3)
        assert leg.texts() == [GREETING]
        turn = await turn_of(stage, "f")
        assert (turn.interrupted, turn.heard) == (True, "")


class Attentive(Echo):
    def __init__(self) -> None:
        self.histories: list[list[str]] = []

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        self.histories.append([each.heard for each in context.history])
        async for step in super().respond(context):
            yield step


@virtual
async def test_the_next_answer_knows_what_was_heard_of_the_last_one():
    responder = Attentive()
    async with on_leg(responder) as (stage, _):
        await stage.tell("transcription", id="f", sequence=3, text="hello")
        await sleep(1.0)
        await stage.tell("transcription", sequence=4, text="wait")
        await sleep(0.1)
        assert responder.histories[-1] == [GREETING, "You said hello. That was"]
        assert (await turn_of(stage, "f")).interrupted


@virtual
async def test_who_speaks_again_takes_an_order_back():
    async with on_leg() as (stage, leg):
        await stage.tell("transcription", sequence=3, text="goodbye")
        await sleep(0.2)
        await stage.tell("speech_started", sequence=4)
        await stage.tell("transcription", sequence=5, text="no wait")
        await sleep(6)
        assert (await stage.call()).state is CallState.ACTIVE
        assert told(leg, "hang_up") == []


@virtual
async def test_speech_stops_while_the_caller_is_on_hold_and_is_not_said_again():
    async with on_leg() as (stage, leg):
        await stage.tell("transcription", id="f", sequence=3, text="hello")
        await sleep(0.9)
        await stage.tell("hold", sequence=4)
        sent = len(leg.frames)
        await sleep(20)
        await stage.tell("resume", sequence=5)
        await sleep(5)
        assert len(leg.frames) == sent
        assert (await turn_of(stage, "f")).heard == "You said hello. That"


# --- silence ----------------------------------------------------------------------------------------------------------------


@virtual
async def test_who_says_nothing_is_asked_and_in_the_end_the_call_is_hung_up():
    async with on_leg(policy=Policy(silence=8)) as (stage, leg):
        await sleep(60)
        prompts = [f"Are you still there, time {number}?" for number in (1, 2, 3)]
        assert leg.texts() == [GREETING, *prompts]
        spoken = [at for at, message in leg.controls if message["type"] == "speech"]
        # The greeting ends at 1.2 s, and each prompt takes 1.2 s.
        assert spoken == [pytest.approx(each, abs=0.07) for each in (0.0, 9.2, 18.4, 27.6)]
        assert (await stage.call()).end_reason == "hung up"


@virtual
async def test_nobody_is_asked_whether_they_are_there_while_their_words_are_on_their_way():
    async with on_leg(policy=Policy(silence=8)) as (stage, leg):
        await sleep(6.1)
        await stage.tell("transcription", sequence=4, text="late but there")
        await sleep(2)
        assert leg.texts()[-2:] == ["You said late but there.", "That was turn 2 of this call."]
        assert "Are you still there, time 1?" not in leg.texts()


# --- legs that come and go --------------------------------------------------------------------------------------------------


@virtual
async def test_what_is_to_be_said_waits_for_the_leg():
    async with working() as stage:
        await stage.tell("call_started", source="livekit", presumed_channel="media")
        await sleep(5)
        leg = Leg()
        async with stage.runtime.media(CALL, leg):
            await sleep(2)
        assert leg.texts() == [GREETING]


@virtual
async def test_the_next_leg_says_what_the_last_one_never_began():
    async with working() as stage:
        await stage.tell("agent_ready", sequence=1, reply_channel="media")
        await stage.tell("call_started", sequence=2)
        first, second = Leg(), Leg()
        async with stage.runtime.media(CALL, first):
            await sleep(3)
            await stage.tell("transcription", id="f", sequence=3, text="hello")
            await sleep(0.5)
        await sleep(10)
        async with stage.runtime.media(CALL, second):
            await sleep(3)
        assert first.texts() == [GREETING, "You said hello."]
        assert second.texts() == ["hello.", "That was turn 2 of this call."]
        turn = await turn_of(stage, "f")
        assert (turn.heard, turn.interrupted) == ("You said hello. That was turn 2 of this call.", False)


@virtual
@pytest.mark.parametrize("reports", [False, True])
async def test_a_leg_that_takes_over_goes_on_and_says_nothing_twice(reports):
    first, second = Leg(reports=reports), Leg()
    async with on_leg(leg=first) as (stage, _):
        await stage.tell("transcription", id="f", sequence=3, text="hello")
        await sleep(0.3)
        async with stage.runtime.media(CALL, second):
            await sleep(4)
            assert first.texts() == [GREETING, "You said hello."]
            assert told(first)[-1] == ("bye", "another leg took over")
            assert second.texts() == ["said hello.", "That was turn 2 of this call."]
            await stage.tell("transcription", sequence=4, text="on")
            await sleep(3)
            assert second.texts()[2:] == ["You said on.", "That was turn 3 of this call."]


class Cut(Leg):
    """A leg that is gone after so many frames."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.left = frames

    async def audio(self, frame: bytes) -> None:
        self.left -= 1
        if self.left < 0:
            raise MediaClosed
        await super().audio(frame)


@virtual
async def test_when_the_socket_breaks_what_was_heard_is_kept():
    async with on_leg(leg=Cut(60 + 20)) as (stage, _):
        await stage.tell("transcription", id="f", sequence=3, text="hello")
        await sleep(3)
        sentence = (await turn_of(stage, "f")).sentences[0]
        assert (sentence.state, sentence.heard) == (SentenceState.CLEARED, "You")


@virtual
async def test_a_leg_that_reports_is_believed():
    async with on_leg(leg=Leg(reports=True)) as (stage, leg):
        await stage.tell("transcription", id="f", sequence=3, text="hello")
        await sleep(0.6)
        player: Player = leg.player  # type: ignore[attr-defined]
        player.reported(EventType.PLAYBACK_PROGRESS, "f/0", 210)
        await stage.tell("speech_started", sequence=4)
        player.reported(EventType.PLAYBACK_CLEARED, "f/0", 390)
        await sleep(1)
        assert (await turn_of(stage, "f")).heard == "You"


@virtual
async def test_a_call_that_is_over_is_told_to_the_leg_and_forgotten_though_the_leg_stays():
    for reports in (False, True):
        async with on_leg(leg=Leg(reports=reports)) as (stage, leg):
            await stage.tell("transcription", id="f", sequence=3, text="hello")
            await sleep(0.9)
            await stage.tell("call_ended", sequence=4, reason="caller left")
            await sleep(1)
            assert stage.runtime.active == 0
            assert told(leg)[-1] == ("bye", "caller left")
            turn = await turn_of(stage, "f")
            # The end waits for the reorder window, and the call goes on meanwhile.
            assert (turn.heard, turn.interrupted) == ("You said hello. That was turn", False)
            with pytest.raises(CallNotFound):
                async with stage.runtime.media(CALL, Leg()):
                    pass


@virtual
async def test_what_was_never_said_is_not_taken_for_heard():
    async with working() as stage:
        await stage.tell("agent_ready", sequence=1, reply_channel="media")
        await stage.tell("call_started", sequence=2)
        await sleep(1)
        await stage.tell("call_ended", sequence=3)
        await sleep(1)
        turn = await turn_of(stage, f"{CALL}/greeting")
        assert (turn.heard, turn.sentences[0].state) == ("", SentenceState.CLEARED)


@virtual
async def test_there_is_no_leg_for_a_call_that_nobody_told_of_and_none_without_a_voice():
    async with working() as stage:
        with pytest.raises(CallNotFound):
            async with stage.runtime.media("nobody", Leg()):
                pass
    silent = CallRuntime(journal=MemoryJournal(), responder=lambda _: Echo(), clock=LoopClock())
    with pytest.raises(SpeechUnavailable, match=r"orchestrator-utils\[voice\]"):
        async with silent.media(CALL, Leg()):
            pass


class Abrupt(Echo):
    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        if context.input.text:
            yield HangUp("no words")
        else:
            yield Say("Hello.", "en-US")


@virtual
async def test_an_order_waits_for_a_leg_that_can_be_told():
    async with on_leg(Abrupt()) as (stage, leg):
        pass
    async with working(Abrupt()) as stage:
        await stage.tell("agent_ready", sequence=1, reply_channel="media")
        await stage.tell("call_started", sequence=2)
        async with stage.runtime.media(CALL, Leg()):
            await sleep(3)
        await stage.tell("transcription", sequence=3, text="bye")
        await sleep(30)
        assert (await stage.call()).state is CallState.ACTIVE
        leg = Leg()
        async with stage.runtime.media(CALL, leg):
            await sleep(1)
        assert told(leg, "hang_up") == [("hang_up", key) for key in (await stage.call()).commands]


@virtual
async def test_the_voice_of_the_tenant_is_used():
    asked: list[str | None] = []

    class Asked(Metronome):
        async def synthesize(self, request):
            asked.append(request.voice)
            async for chunk in super().synthesize(request):
                yield chunk

    async with on_leg(voice=Asked()) as (_stage, _leg):
        pass
    assert asked == [None]
