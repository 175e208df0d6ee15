"""What answers do in the world: kept before and after, told truly, and never done twice where somebody can tell."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from calls_support import CALL, TENANT, Echo, FlakyJournal, Leg, virtual, working

from orchestrator_calls.actions import ActionOutcome, ActionRequest, ActionStatus
from orchestrator_calls.call import TurnOutcome
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import CallState, EventType
from orchestrator_calls.notices import ActionEnded
from orchestrator_calls.phrases import Phrase, default_phrase
from orchestrator_calls.responder import Step, TurnContext
from orchestrator_kernel.exceptions import ExternalServiceError
from orchestrator_kernel.virtual_time import LoopClock

DONE = ActionOutcome(status=ActionStatus.DONE, reason="ok", data={"number": "A1"})
sleep = asyncio.sleep


@dataclass
class Desk:
    """The tenant's system: remembers what it was asked to do, by key."""

    seconds: float = 0.0
    outcome: ActionOutcome | Exception = DONE
    known: ActionOutcome | None = None
    runs: list[ActionRequest] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)

    async def run(self, request: ActionRequest) -> ActionOutcome:
        self.runs.append(request)
        await sleep(self.seconds)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def probe(self, request: ActionRequest) -> ActionOutcome | None:
        self.probes.append(request.key)
        return self.known


def kinds(events) -> list[str]:
    return [each.type.value for each in events]


async def begin(stage, channel: str = "answer") -> None:
    await stage.tell("agent_ready", sequence=1, reply_channel=channel)
    await stage.tell("call_started", sequence=2, caller="+491")
    await sleep(2)


@virtual
async def test_an_action_is_kept_before_and_after_and_the_caller_hears_the_outcome():
    desk = Desk(seconds=1.0)
    async with working(actions=lambda _: desk) as stage:
        await begin(stage)
        await stage.tell("transcription", id="f", sequence=3, text="book")
        await sleep(0.5)
        assert "action_started" in await stage.kept()
        assert "action_finished" not in await stage.kept()
        await sleep(2)
        [request] = desk.runs
        assert (request.name, request.arguments, request.caller, request.tenant) == (
            "booking",
            {"guests": 4},
            "+491",
            TENANT,
        )
        assert (await stage.said())[1:] == ["I will book that.", "The booking is done: ok."]
        turn = (await stage.call()).turns["f/act0/outcome"]
        assert turn.result == DONE
        kept = await stage.kept()
        assert kept.index("action_started") < kept.index("action_finished")
        assert [(each.action, each.status) for each in stage.told(ActionEnded)] == [("booking", "done")]


@virtual
@pytest.mark.parametrize(
    ("desk", "told"),
    [
        (Desk(outcome=ActionOutcome(status=ActionStatus.REFUSED, reason="full")), "The booking is refused: full."),
        (Desk(outcome=ExternalServiceError("no", code="gone")), "The booking is unconfirmed: gone."),
        (Desk(outcome=RuntimeError("bug")), "The booking is unconfirmed: RuntimeError."),
        (None, "The booking is refused: not_configured."),
    ],
)
async def test_no_success_is_claimed_that_nobody_told(desk, told):
    async with working(actions=lambda _: desk) as stage:
        await begin(stage)
        await stage.tell("transcription", sequence=3, text="book")
        await sleep(1)
        assert (await stage.said())[-1] == told


@virtual
async def test_the_caller_does_not_wait_in_silence_while_an_action_runs_and_can_go_on():
    leg = Leg()
    async with working(actions=lambda _: Desk(seconds=9.0)) as stage:
        await stage.tell("agent_ready", sequence=1, reply_channel="media")
        async with stage.runtime.media(CALL, leg):
            await stage.tell("call_started", sequence=2)
            await sleep(2)
            await stage.tell("transcription", id="f", sequence=3, text="book")
            await sleep(14)
            waiting = [default_phrase(TENANT, "en-US", Phrase.WAITING, n) for n in (1, 2)]
            assert leg.texts()[1:] == ["I will book that.", *waiting, "The booking is done: ok."]
            times = [at for at, _ in leg.frames]
            assert max(after - before for before, after in itertools.pairwise(times)) < 3.0
            assert (await stage.call()).turns["f"].fillers == 2


class Slow(Echo):
    """Thinks for four seconds."""

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        if context.input.text:
            await sleep(4)
        async for step in super().respond(context):
            yield step


@virtual
async def test_a_slow_answer_is_preceded_by_a_word_of_patience():
    leg = Leg()
    async with working(Slow()) as stage:
        await stage.tell("agent_ready", sequence=1, reply_channel="media")
        async with stage.runtime.media(CALL, leg):
            await stage.tell("call_started", sequence=2)
            await sleep(2)
            await stage.tell("transcription", id="f", sequence=3, text="hello")
            await sleep(10)
            assert leg.texts()[1:3] == [default_phrase(TENANT, "en-US", Phrase.WAITING, 1), "You said hello."]
            # What only fills the time is no part of the conversation that the next answer builds on.
            assert (await stage.call()).history()[-1].heard == "You said hello. That was turn 2 of this call."


@virtual
async def test_what_the_recognizer_took_is_part_of_what_a_caller_waits():
    leg = Leg()
    async with working(Slow()) as stage:
        await stage.tell("agent_ready", sequence=1, reply_channel="media")
        async with stage.runtime.media(CALL, leg):
            await stage.tell("call_started", sequence=2)
            await sleep(3)
            silent = asyncio.get_running_loop().time()
            await sleep(2)
            await stage.tell("transcription", id="f", sequence=3, text="hello", recognition_ms=2000)
            await sleep(3)
            assert leg.texts()[1] == default_phrase(TENANT, "en-US", Phrase.WAITING, 1)
            first = min(at for at, _ in leg.frames if at > silent)
            assert 2.5 <= first - silent < 3.0


@virtual
@pytest.mark.parametrize(
    ("known", "runs"),
    [(DONE, 0), (ActionOutcome(status=ActionStatus.REFUSED, reason="full"), 0), (None, 1)],
)
async def test_an_action_that_may_have_run_is_probed_before_it_is_run_again(known, runs):
    journal, first_desk = FlakyJournal(LoopClock()), Desk(seconds=3600)
    stage = working(journal=journal, actions=lambda _: first_desk)
    first = await stage.__aenter__()
    await begin(first)
    await first.tell("transcription", id="f", sequence=3, text="book")
    await sleep(1)
    for task in first.runtime._hosting.calls:
        task.cancel()
    await sleep(0)
    desk = Desk(known=known)
    async with working(journal=journal, actions=lambda _: desk) as second:
        await sleep(1)
        [request] = first_desk.runs
        assert (desk.probes, len(desk.runs)) == ([request.key], runs)
        assert all(each.key == request.key for each in desk.runs)
        outcome = (known or DONE).status.value
        assert (await second.said())[-1].startswith(f"The booking is {outcome}")


@virtual
async def test_an_action_whose_intent_was_not_kept_was_not_begun_and_is_begun_once():
    journal, desk = FlakyJournal(LoopClock()), Desk()
    async with working(journal=journal, actions=lambda _: desk) as stage:
        await begin(stage)
        journal.refusing = EventType.ACTION_STARTED
        await stage.tell("transcription", id="f", sequence=3, text="book")
        await sleep(1)
        assert desk.runs == []
        journal.refusing = None
        await sleep(5)
        assert len(desk.runs) == 1


@virtual
async def test_who_hangs_up_after_a_yes_gets_what_was_confirmed_and_the_journal_says_so():
    desk = Desk(seconds=5)
    async with working(actions=lambda _: desk) as stage:
        await begin(stage)
        await stage.tell("transcription", id="f", sequence=3, text="book")
        await sleep(0.1)
        await stage.tell("call_ended", sequence=4)
        await sleep(1)
        row = await stage.journal.call(CALL)
        assert row is not None
        assert row.state is CallState.ACTIVE  # it is open in the list, so that a crash now loses nothing
        await sleep(6)
        row = await stage.journal.call(CALL)
        assert row is not None
        assert (row.state, stage.runtime.active) == (CallState.ENDED, 0)
        assert (await stage.kept())[-1] == "action_finished"
        assert (await stage.said())[-1] == "I will book that."


@virtual
async def test_an_action_of_a_call_that_ended_is_found_out_by_the_next_process():
    journal = FlakyJournal(LoopClock())
    stage = working(journal=journal, actions=lambda _: Desk(seconds=3600))
    first = await stage.__aenter__()
    await begin(first)
    await first.tell("transcription", id="f", sequence=3, text="book")
    await first.tell("call_ended", sequence=4)
    await sleep(1)
    for task in first.runtime._hosting.calls:
        task.cancel()
    await sleep(0)
    desk = Desk(known=DONE)
    async with working(journal=journal, actions=lambda _: desk) as second:
        await sleep(1)
        assert (len(desk.probes), desk.runs, second.runtime.active) == (1, [], 0)
        assert (await second.kept())[-1] == "action_finished"


@virtual
async def test_stopping_gives_an_action_a_moment_to_end():
    journal, desk = FlakyJournal(LoopClock()), Desk(seconds=1.0)
    async with working(journal=journal, actions=lambda _: desk) as stage:
        await begin(stage)
        await stage.tell("transcription", id="f", sequence=3, text="book")
        await sleep(0.1)
    assert kinds(await journal.read(CALL)).count("action_finished") == 1


@virtual
async def test_a_transfer_that_failed_is_told_to_the_caller():
    async with working() as stage:
        await begin(stage)
        await stage.tell("transcription", id="f", sequence=3, text="operator")
        await sleep(1)
        assert (await stage.call()).state is CallState.TRANSFERRING
        await stage.tell("transfer_failed", sequence=4, key="transfer/f", reason="busy")
        await sleep(1)
        assert (await stage.said())[-1] == "The transfer is refused: busy."


@virtual
async def test_an_order_that_nobody_confirmed_is_told_again_to_the_next_leg_under_the_same_key():
    first, second = Leg(), Leg()
    async with working(policy=Policy(transfer_limit=60)) as stage:
        await stage.tell("agent_ready", sequence=1, reply_channel="media")
        async with stage.runtime.media(CALL, first):
            await stage.tell("call_started", sequence=2)
            await sleep(2)
            await stage.tell("transcription", id="f", sequence=3, text="operator")
            await sleep(2)
        async with stage.runtime.media(CALL, second):
            await sleep(1)
        told = [[m for _, m in leg.controls if m["type"] == "transfer"] for leg in (first, second)]
        assert told[0] == told[1]
        assert told[0][0]["key"] == "transfer/f"


@virtual
async def test_an_answer_that_cannot_be_had_is_not_silence():
    class Broken(Echo):
        async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
            if context.input.text:
                raise ExternalServiceError("away", code="model_away")
            async for step in super().respond(context):
                yield step

    async with working(Broken()) as stage:
        await begin(stage)
        receipt = await stage.tell("transcription", wait=5, sequence=3, text="hello")
        assert receipt.turn is not None
        assert (receipt.turn.outcome, receipt.turn.reason) == (TurnOutcome.FAILED, "model_away")
        assert [each.text for each in receipt.turn.sentences] == [default_phrase(TENANT, "en-US", Phrase.FAILED, 1)]


@virtual
async def test_where_replies_are_in_the_answers_the_outcome_is_in_the_answer_or_in_the_next_one():
    desk = Desk(seconds=1.0)
    async with working(actions=lambda _: desk) as stage:
        await begin(stage)
        quick = await stage.tell("transcription", wait=10, sequence=3, text="book")
        assert [each.sentences[0].text for each in quick.outcomes] == ["The booking is done: ok."]
        desk.seconds = 4.0
        slow = await stage.tell("transcription", wait=10, sequence=4, text="book")
        assert slow.outcomes == ()
        await sleep(5)
        after = await stage.tell("transcription", wait=10, sequence=5, text="hello")
        assert [each.sentences[0].text for each in after.outcomes] == ["The booking is done: ok."]
        assert (await stage.tell("transcription", wait=10, sequence=6, text="hello")).outcomes == ()
