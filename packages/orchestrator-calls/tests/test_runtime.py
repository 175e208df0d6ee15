"""Calls through the runtime, on virtual time."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator
from datetime import timedelta, timezone

import pytest
from calls_support import CALL, Echo, FlakyJournal, event, virtual, working

from orchestrator_calls._mailbox import MailboxFull
from orchestrator_calls.call import Channel, TurnOutcome
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import OWN, CallState
from orchestrator_calls.journal import CallOfAnotherTenant, JournalUnavailable
from orchestrator_calls.notices import EventKept, GapSeen, StateChanged, TurnTimed
from orchestrator_calls.responder import HangUp, Say, Step, TurnContext
from orchestrator_calls.runtime import CallNotFound, Draining, TooManyCalls
from orchestrator_kernel.exceptions import ExternalServiceError, ValidationError
from orchestrator_kernel.ports import Erased

GREETING = "Good evening, this is the desk."
sleep = asyncio.sleep


def now() -> float:
    return asyncio.get_running_loop().time()


class Slow(Echo):
    """Thinks for two seconds before every sentence but the greeting."""

    def __init__(self) -> None:
        self.seen: list[TurnContext] = []

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        self.seen.append(context)
        async for step in super().respond(context):
            if context.input.text and isinstance(step, Say):
                await sleep(2)
            yield step


# --- a conversation ---------------------------------------------------------------------------------------------------------


@virtual
async def test_a_conversation_in_the_answers_of_requests():
    async with working() as stage:
        greeting = await stage.tell("call_started", wait=5, sequence=1)
        assert greeting.turn is not None
        assert [each.text for each in greeting.turn.sentences] == [GREETING]
        answer = await stage.tell("transcription", wait=5, sequence=2, text="hello")
        assert answer.turn is not None
        assert [each.text for each in answer.turn.sentences] == ["You said hello.", "That was turn 2 of this call."]
        assert (answer.state, answer.duplicate) == (CallState.ACTIVE, False)
        bye = await stage.tell("transcription", wait=5, sequence=3, text="goodbye")
        assert bye.turn is not None
        assert bye.turn.command == HangUp("caller said goodbye")
        assert (await stage.call()).state is CallState.ENDING
        await stage.tell("call_ended", sequence=4)
        await sleep(1)
        assert (stage.runtime.active, (await stage.call()).state) == (0, CallState.ENDED)


@virtual
async def test_what_is_not_waited_for_is_answered_all_the_same():
    async with working() as stage:
        receipt = await stage.tell("call_started", sequence=1)
        assert receipt.turn is None
        await sleep(0.1)
        assert await stage.said() == [GREETING]
        assert (await stage.tell("speech_started", wait=5, sequence=2)).turn is None
        assert now() < 1


@virtual
async def test_a_late_start_creates_the_call_and_what_came_before_is_answered_after_the_greeting():
    async with working() as stage:
        early = await stage.tell("transcription", wait=5, sequence=2, text="hello")
        assert (early.turn, early.state, now()) == (None, CallState.INITIALIZING, pytest.approx(0.3))
        await stage.tell("dtmf", sequence=3, digit="1")
        await sleep(2)
        assert (await stage.call()).turns == {}
        await stage.tell("call_started", sequence=1)
        await sleep(1)
        call = await stage.call()
        assert [turn.text for turn in call.turns.values()] == ["", "hello", "1"]
        assert await stage.said() == [GREETING, *echo("hello", 2), *echo("1", 3)]


def echo(text: str, turn: int) -> list[str]:
    return [f"You said {text}.", f"That was turn {turn} of this call."]


@virtual
async def test_the_same_event_again_gets_the_same_receipt_and_nothing_happens_twice():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        final = event("transcription", 1, sequence=2, text="hello")
        first = await stage.runtime.submit(final, wait=5)
        again = await stage.runtime.submit(final, wait=5)
        assert (again.event, again.turn, again.duplicate) == (first.event, first.turn, True)
        assert await stage.said() == [GREETING, *echo("hello", 2)]
        await stage.tell("call_ended", sequence=3)
        await sleep(1)
        later = await stage.runtime.submit(final, wait=5)
        assert (later.event, later.duplicate, later.state) == (first.event, True, CallState.ENDED)
        assert later.turn is not None
        assert later.turn.id == final.id


@virtual
async def test_the_same_event_from_many_at_once_is_answered_once_and_all_get_the_answer():
    async with working(Slow()) as stage:
        await stage.tell("call_started", sequence=1)
        final = event("transcription", 1, sequence=2, text="hello")
        receipts = await asyncio.gather(
            *(stage.runtime.submit(final, wait=wait) for wait in (1.0, 10.0, 10.0)), return_exceptions=False
        )
        assert sorted(each.duplicate for each in receipts) == [False, True, True]
        assert [each.turn is None for each in receipts] == [True, False, False]
        assert await stage.said() == [GREETING, *echo("hello", 2)]


@virtual
async def test_what_comes_after_the_end_is_recorded_and_not_applied():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("call_ended", sequence=2)
        await sleep(1)
        late = await stage.tell("transcription", wait=5, sequence=3, text="hello?")
        assert (late.state, late.turn, late.duplicate) == (CallState.ENDED, None, False)
        assert (await stage.kept())[-1] == "transcription"
        assert (await stage.call()).recorded_after_end == 1
        assert stage.runtime.active == 0


@virtual
async def test_every_event_is_told_of_once():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        for _ in range(2):
            await stage.runtime.submit(event("transcription", 1, sequence=2, text="hello"))
        await sleep(1)
        told = [notice.event.id for notice in stage.told(EventKept)]
        assert sorted(told) == sorted(each.id for each in await stage.journal.read(CALL))


@virtual
async def test_changes_of_state_and_how_long_turns_took_are_told():
    async with working(Slow()) as stage:
        await stage.tell("agent_ready", sequence=1)
        await stage.tell("call_started", sequence=2)
        await stage.tell("transcription", wait=10, sequence=3, text="hello")
        await stage.tell("error", sequence=4, fatal=True, message="no audio")
        await sleep(1)
        changes = [(each.before.value, each.after.value, each.reason) for each in stage.told(StateChanged)]
        assert changes == [
            ("initializing", "connecting", ""),
            ("connecting", "active", ""),
            ("active", "failed", "no audio"),
        ]
        [greeting, turn] = stage.told(TurnTimed)
        assert (greeting.turn, greeting.channel, turn.seconds) == (f"{CALL}/greeting", "answer", pytest.approx(4.0))


# --- what is refused --------------------------------------------------------------------------------------------------------


@virtual
async def test_too_much_at_once_is_refused_and_nothing_of_it_is_kept():
    async with working(max_waiting=3) as stage:
        await stage.tell("call_started", sequence=1)
        stage.journal.delay = 1.0
        events = [event("transcription", 1, sequence=n, text=f"{n}") for n in range(2, 10)]
        outcomes = await asyncio.gather(*map(stage.runtime.submit, events), return_exceptions=True)
        refused = [isinstance(each, MailboxFull) for each in outcomes]
        assert refused == [False] * 3 + [True] * 5
        await sleep(10)
        kept = {each.id for each in await stage.journal.read(CALL)}
        assert [each.id in kept for each in events] == [not each for each in refused]
        [again] = [await stage.runtime.submit(events[4])]
        assert not again.duplicate


@virtual
async def test_events_of_the_orchestrator_are_refused():
    async with working() as stage:
        for kind in OWN:
            with pytest.raises(ValidationError):
                await stage.tell(kind.value)
        with pytest.raises(ValidationError):
            await stage.tell("call_ended", source="orchestrator")
        assert stage.runtime.active == 0


@virtual
async def test_a_call_belongs_to_one_tenant_while_it_runs_and_after():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        foreign = event("transcription", 1, id="x", text="hello")
        object.__setattr__(foreign, "tenant", "t2")
        for _ in range(2):
            with pytest.raises(CallOfAnotherTenant):
                await stage.runtime.submit(foreign)
            await stage.tell("call_ended", sequence=2)
            await sleep(1)
        assert "x" not in [each.id for each in await stage.journal.read(CALL)]


@virtual
async def test_there_is_room_for_so_many_calls_even_if_they_come_at_once():
    async with working(max_calls=3) as stage:
        starts = [event("call_started", 0, call=f"c{n}", id=f"s{n}", sequence=1) for n in range(6)]
        outcomes = await asyncio.gather(*map(stage.runtime.submit, starts), return_exceptions=True)
        assert [isinstance(each, TooManyCalls) for each in outcomes] == [False] * 3 + [True] * 3
        assert stage.runtime.active == 3
        await stage.tell("call_ended", call="c0", sequence=2)
        await sleep(1)
        await stage.runtime.submit(starts[5])
        assert stage.runtime.active == 3


@virtual
async def test_a_draining_runtime_takes_no_new_calls_and_lets_the_others_end():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        draining = asyncio.create_task(stage.runtime.drain(60))
        await sleep(1)
        with pytest.raises(Draining):
            await stage.tell("call_started", call="new")
        await stage.tell("transcription", sequence=2, text="hello")
        await sleep(1)
        assert await stage.said() == [GREETING, *echo("hello", 2)]
        await stage.tell("call_ended", sequence=3)
        await draining
        assert (stage.runtime.active, now()) == (0, pytest.approx(2.3, abs=0.1))


@virtual
async def test_draining_waits_no_longer_than_it_may():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        await stage.runtime.drain(5)
        assert (stage.runtime.active, now()) == (1, pytest.approx(5.0, abs=0.1))


@virtual
async def test_an_unknown_call_is_not_found():
    async with working() as stage:
        with pytest.raises(CallNotFound):
            await stage.call("nobody")


# --- order ------------------------------------------------------------------------------------------------------------------


@virtual
async def test_a_later_arrival_never_decides_a_turn_again():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", id="second", sequence=3, text="second")
        await sleep(1)
        assert [(each.missing, each.detail) for each in stage.told(GapSeen)] == [(1, "2 to 2 of agent")]
        await stage.tell("transcription", id="first", sequence=2, text="first")
        await sleep(1)
        assert await stage.said() == [GREETING, *echo("second", 2)]
        assert "first" in [each.id for each in await stage.journal.read(CALL)]


@virtual
async def test_what_the_provider_dropped_is_told():
    async with working() as stage:
        await stage.tell("participant_joined", source="livekit", num_dropped=4)
        await sleep(0.1)
        assert [(each.missing, each.detail) for each in stage.told(GapSeen)] == [(4, "dropped by the provider")]


@virtual
async def test_a_clock_ahead_does_not_put_our_own_orders_before_the_start():
    async with working() as stage:
        ahead = now() + 5
        await stage.runtime.submit(event("call_started", ahead, id="s", sequence=1, received=0))
        await stage.runtime.submit(event("transcription", ahead, id="f", sequence=2, received=0, text="operator"))
        await sleep(0.1)
        assert (await stage.call()).state is CallState.TRANSFERRING


# --- keys, hold, orders -----------------------------------------------------------------------------------------------------


@virtual
async def test_a_key_supersedes_a_slow_answer():
    async with working(Slow()) as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", id="slow", sequence=2, text="tell me all")
        await sleep(1)
        await stage.tell("dtmf", id="key", sequence=3, digit="1")
        await sleep(10)
        turns = (await stage.call()).turns
        assert (turns["slow"].outcome, turns["slow"].sentences) == (TurnOutcome.SUPERSEDED, [])
        assert (turns["key"].outcome, len(turns["key"].sentences)) == (TurnOutcome.ANSWERED, 2)


@virtual
async def test_keys_are_collected_as_the_answer_asked_for():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", sequence=2, text="code")
        waiting = await stage.tell("dtmf", wait=5, sequence=3, digit="1")
        assert (waiting.turn, now()) == (None, 0.0)
        for number, digit in enumerate("23", 4):
            await stage.tell("dtmf", sequence=number, digit=digit)
        last = await stage.tell("dtmf", wait=5, sequence=6, digit="4")
        assert last.turn is not None
        assert (last.turn.text, last.turn.shown) == ("1234", "[4 digits]")


@virtual
async def test_a_caller_on_hold_is_not_answered_and_timers_stand_still():
    async with working(policy=Policy(max_duration=60)) as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("hold", sequence=2)
        await stage.tell("transcription", sequence=3, text="psst")
        await sleep(100)
        assert (await stage.call()).state is CallState.ON_HOLD
        await stage.tell("resume", sequence=4)
        await stage.tell("transcription", sequence=5, text="hello")
        await sleep(30)
        assert (await stage.said())[1:] == echo("hello", 2)
        await sleep(29)
        assert (await stage.call()).state is CallState.ACTIVE
        await sleep(2)
        assert (await stage.call()).state is CallState.ENDING
        await sleep(6)
        assert ((await stage.call()).state, (await stage.call()).end_reason) == (CallState.ENDED, "hung up")


@virtual
async def test_a_transfer_that_nobody_confirms_fails_and_the_call_goes_on():
    async with working(policy=Policy(transfer_limit=10)) as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", sequence=2, text="operator")
        await sleep(9)
        assert (await stage.call()).state is CallState.TRANSFERRING
        await sleep(2)
        assert (await stage.call()).state is CallState.ACTIVE
        await stage.tell("transcription", sequence=3, text="hello")
        await sleep(1)
        assert (await stage.said())[2:] == [
            "The transfer is unconfirmed: not confirmed.",
            "You said hello.",
            "That was turn 4 of this call.",
        ]


@virtual
async def test_a_transfer_asked_for_from_outside_after_ours_has_failed_is_left_to_who_asked():
    async with working(policy=Policy(transfer_limit=10)) as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", sequence=2, text="operator")
        await sleep(11)
        assert (await stage.call()).state is CallState.ACTIVE
        await stage.tell("transfer_requested", sequence=3, target="bar")
        await sleep(30)
        assert (await stage.call()).state is CallState.TRANSFERRING
        await stage.tell("transfer_failed", sequence=4, reason="busy")
        await stage.tell("transcription", sequence=5, text="hello")
        await sleep(1)
        assert "You said hello." in await stage.said()


@virtual
async def test_a_transfer_that_is_confirmed_ends_the_dialogue():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", id="op", sequence=2, text="operator")
        await sleep(1)
        await stage.tell("transfer_completed", sequence=3, key="transfer/op")
        await sleep(1)
        assert (await stage.call()).state is CallState.ENDING
        await stage.tell("transcription", sequence=4, text="hello")
        await sleep(40)
        assert len((await stage.call()).turns) == 2


@virtual
async def test_abandoned_calls_end_and_nothing_of_them_stays_in_memory():
    async with working(policy=Policy(idle=100)) as stage:
        calls = []
        for number in range(20):
            await stage.tell("call_started", call=f"c{number}", id=f"s{number}", sequence=1)
            calls.append(weakref.ref(await stage.call(f"c{number}")))
        await sleep(101)
        assert stage.runtime.active == 0
        assert {row.state for row in await stage.journal.calls()} == {CallState.ENDED}
        assert (await stage.call("c7")).end_reason == "abandoned"
        stage.notices.clear()
        gc.collect()
        assert [call() for call in calls] == [None] * 20
        runtime, hosting = stage.runtime, stage.runtime._hosting
        kept = hosting.actors, hosting.calls, hosting.loading, runtime._legs, runtime._work, runtime._opening
        assert not any(kept)


# --- responders that misbehave ----------------------------------------------------------------------------------------------


class Broken(Echo):
    """Says one sentence, then fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        if context.input.text == "break":
            yield Say("Let me see.", "en-US")
            raise self.error
        async for step in super().respond(context):
            yield step


@virtual
@pytest.mark.parametrize(
    ("error", "reason"),
    [(ExternalServiceError("no answer", code="chat_failed"), "chat_failed"), (KeyError("slot"), "KeyError")],
)
async def test_a_responder_that_fails_costs_its_turn_and_not_the_call(error, reason):
    async with working(Broken(error)) as stage:
        await stage.tell("call_started", sequence=1)
        failed = await stage.tell("transcription", wait=5, sequence=2, text="break")
        assert failed.turn is not None
        assert (failed.turn.outcome, failed.turn.reason) == (TurnOutcome.FAILED, reason)
        assert [each.text for each in failed.turn.sentences] == ["Let me see."]
        await stage.tell("transcription", sequence=3, text="hello")
        await sleep(1)
        assert (await stage.said())[2:] == echo("hello", 2)


class Hanging(Echo):
    def __init__(self, *, stubborn: bool = False) -> None:
        self.stubborn = stubborn
        self.closed = 0

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        if context.input.text != "hang":
            async for step in super().respond(context):
                yield step
            return
        try:
            await asyncio.Event().wait()
        finally:
            self.closed += 1
            if self.stubborn:
                await sleep(600)
            yield Say("never", "en-US")


@virtual
async def test_a_responder_that_hangs_is_given_up():
    responder = Hanging()
    async with working(responder, answer_timeout=7) as stage:
        await stage.tell("call_started", sequence=1)
        failed = await stage.tell("transcription", wait=60, sequence=2, text="hang")
        assert failed.turn is not None
        assert (failed.turn.outcome, failed.turn.reason, now()) == (TurnOutcome.FAILED, "timeout", pytest.approx(7.0))
        assert responder.closed == 1


@virtual
async def test_a_responder_that_does_not_let_go_holds_nothing_up():
    async with working(Hanging(stubborn=True)) as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", sequence=2, text="hang")
        await sleep(1)
        await stage.tell("dtmf", sequence=3, digit="1")
        await sleep(2)
        assert (await stage.said())[1:] == echo("1", 2)


@virtual
async def test_a_slow_responder_answers_one_after_the_other_and_sees_what_was_heard_before():
    responder = Slow()
    async with working(responder) as stage:
        await stage.tell("call_started", sequence=1)
        for number, text in enumerate(("one", "two"), 2):
            await stage.tell("transcription", sequence=number, text=text)
        await sleep(20)
        assert await stage.said() == [GREETING, *echo("one", 2), *echo("two", 3)]
        heard = [(each.caller, each.heard) for each in responder.seen[-1].history]
        assert heard == [("", GREETING), ("one", " ".join(echo("one", 2)))]


@virtual
async def test_the_responder_is_told_the_time_of_the_tenant():
    responder = Slow()
    async with working(responder, zone=lambda _: timezone(timedelta(hours=5))) as stage:
        await stage.tell("call_started", sequence=1)
        await sleep(1)
        told = responder.seen[0].now
        assert told is not None
        assert told.isoformat() == "2030-01-01T05:00:00+05:00"


# --- a journal that is away -------------------------------------------------------------------------------------------------


@virtual
async def test_while_the_journal_is_away_senders_are_refused_and_nothing_is_said():
    async with working(Slow()) as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", sequence=2, text="hello")
        await sleep(1)
        stage.journal.away = True
        with pytest.raises(JournalUnavailable):
            await stage.tell("transcription", id="later", sequence=3, text="more")
        await sleep(5)
        assert await stage.said() == [GREETING]
        stage.journal.away = False
        await sleep(5)
        assert await stage.said() == [GREETING, *echo("hello", 2)]
        assert not (await stage.tell("transcription", id="later", sequence=3, text="more")).duplicate


@virtual
async def test_a_state_that_cannot_be_noted_is_noted_later():
    async with working() as stage:
        stage.journal.marking = False
        await stage.tell("call_started", sequence=1)
        await sleep(5)
        stage.journal.marking = True
        await sleep(5)
        row = await stage.journal.call(CALL)
        assert row is not None
        assert row.state is CallState.ACTIVE
        assert await stage.said() == [GREETING]


@virtual
async def test_a_sender_that_goes_away_takes_nothing_back():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        stage.journal.delay = 1.0
        sender = asyncio.create_task(stage.tell("transcription", wait=30, sequence=2, text="hello"))
        await sleep(0.5)
        sender.cancel()
        await sleep(5)
        assert (await stage.said())[1:] == echo("hello", 2)


@virtual
async def test_a_sender_that_goes_away_while_a_call_is_opened_takes_nothing_back():
    async with working(max_calls=1) as stage:
        stage.journal.delay = 1.0
        sender = asyncio.create_task(stage.tell("call_started", sequence=1))
        await sleep(0.5)
        sender.cancel()
        await sleep(5)
        assert await stage.said() == [GREETING]


@virtual
async def test_stopping_does_not_wait_for_a_journal_that_does_not_come_back():
    journal = FlakyJournal()
    async with working(Slow(), journal=journal) as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("transcription", sequence=2, text="hello")
        journal.away = True
        await sleep(3)
        started = now()
    assert now() - started <= 6


@virtual
async def test_a_call_whose_caller_is_erased_meanwhile_is_over_and_others_are_not():
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        await stage.tell("call_started", call="other", id="o", sequence=1)
        await sleep(1)
        stage.journal.refusal = Erased("gone")
        with pytest.raises(Erased):
            await stage.tell("transcription", sequence=2, text="hello")
        stage.journal.refusal = None
        await stage.tell("transcription", call="other", id="p", sequence=2, text="hello")
        await sleep(1)
        assert await stage.said("other") == [GREETING, *echo("hello", 2)]


# --- an actor that breaks ---------------------------------------------------------------------------------------------------


@virtual
async def test_a_call_that_stopped_working_goes_on_with_its_next_event(monkeypatch):
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        await sleep(1)
        actor = stage.runtime._actors[CALL]

        async def bug() -> None:
            raise RuntimeError("bug")

        monkeypatch.setattr(actor, "_settle", bug)
        await stage.tell("transcription", id="lost", sequence=2, text="lost?")
        await sleep(1)
        assert stage.runtime.active == 0
        await stage.tell("transcription", sequence=3, text="hello")
        await sleep(1)
        assert await stage.said() == [GREETING, *echo("lost?", 2), *echo("hello", 3)]


@virtual
async def test_an_event_that_comes_while_its_call_breaks_is_not_lost(monkeypatch):
    async with working() as stage:
        await stage.tell("call_started", sequence=1)
        await sleep(1)
        stage.journal.delay = 1.0
        sending = asyncio.create_task(stage.tell("transcription", sequence=2, text="hello"))
        await sleep(0.5)
        for task in stage.runtime._hosting.calls:
            task.cancel()
        await sending
        await sleep(10)
        assert (await stage.said())[1:] == echo("hello", 2)


# --- the list of calls ------------------------------------------------------------------------------------------------------


@virtual
async def test_the_caller_is_listed_by_pseudonym_as_soon_as_it_is_known():
    async with working(pseudonym=lambda tenant, number: f"{tenant}~{number[-2:]}") as stage:
        await stage.tell("call_started", call="known", id="a", sequence=1, caller="+4912")
        await stage.tell("call_started", call="late", id="b", sequence=1)
        await sleep(1)
        await stage.tell("call_started", call="late", id="c", source="livekit", caller="+4934")
        await sleep(1)
        rows = {row.call_id: (row.caller, row.subject) for row in await stage.journal.calls()}
        assert rows == {"known": ("t1~12", "t1~12"), "late": ("t1~34", "late")}


@virtual
async def test_replies_go_where_the_leg_said():
    async with working() as stage:
        await stage.tell("call_started", call="a", id="1", source="livekit", presumed_channel="media")
        await stage.tell("call_started", call="b", id="2", sequence=1)
        await sleep(1)
        assert (await stage.call("a")).channel is Channel.MEDIA
        assert (await stage.call("b")).channel is Channel.ANSWER
        over = {name: (await stage.call(name)).turns[f"{name}/greeting"].sentences[0].over for name in "ab"}
        assert over == {"a": False, "b": True}
