"""Several processes on one journal: each a runtime of its own, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from calls_support import CALL, TENANT, Echo, FlakyJournal, Leg, Stage, event, virtual, working

from orchestrator_calls.actions import ActionOutcome, ActionRequest, ActionStatus
from orchestrator_calls.call import Channel
from orchestrator_calls.events import CallState, EventType
from orchestrator_calls.journal import JournalUnavailable
from orchestrator_calls.notices import EventKept
from orchestrator_calls.runtime import MailboxFull, PeersConfig
from orchestrator_kernel.virtual_time import LoopClock

sleep = asyncio.sleep
LEASE = 1.0
GREETING = "Good evening, this is the desk."


@asynccontextmanager
async def processes(count: int, *, journal: FlakyJournal | None = None, **options) -> AsyncIterator[list[Stage]]:
    journal = journal or FlakyJournal(LoopClock())
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
            assert stages[0].runtime.running() == {}
            assert stages[1].runtime.running() == {CALL: (TENANT, CallState.ACTIVE)}
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


class Counting(FlakyJournal):
    """Counts the looks of those who wait for answers, and how many were under way at once."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.looks = self.together = self._now = 0
        self.slow = 0.0

    async def news(self, after, *, own=False):
        if not own:
            return await super().news(after)
        self.looks += 1
        self._now += 1
        self.together = max(self.together, self._now)
        await sleep(self.slow)
        self._now -= 1
        return await super().news(after, own=True)


@virtual
async def test_however_many_wait_for_answers_of_others_one_look_at_a_time_is_for_all():
    class Slow(Echo):
        async def respond(self, context):
            if context.input.text:
                await sleep(1.0)
            async for step in super().respond(context):
                yield step

    journal = Counting(LoopClock())
    async with processes(2, journal=journal, responder=Slow()) as stages:
        calls = [f"c{n}" for n in range(40)]
        for call in calls:
            await stages[0].tell("call_started", wait=5, id=f"{call}-1", sequence=1, call=call)
        journal.slow = 0.05
        receipts = await asyncio.gather(
            *(
                stages[1].tell("transcription", wait=9, id=f"{call}-2", sequence=2, text="hello", call=call)
                for call in calls
            )
        )
        assert all(receipt.turn is not None for receipt in receipts)
        assert journal.together == 1
        assert journal.looks < 40


@virtual
async def test_hints_that_never_end_keep_no_call_from_being_looked_at():
    async with processes(2) as stages:
        for call in ("busy", "quiet"):
            await stages[0].tell("call_started", wait=5, id=f"{call}-1", sequence=1, call=call)
        heard = stages[0].journal._listening["p0"]

        async def chatter() -> None:
            while True:
                heard("busy", "p1")
                await sleep(0.01)

        chattering = asyncio.create_task(chatter())
        # The hint of this one is lost.
        stages[0].journal._listening["p0"] = lambda call_id, sender: None
        receipt = await stages[1].tell("transcription", wait=2, id="quiet-2", sequence=2, text="hello", call="quiet")
        chattering.cancel()
        assert receipt.turn is not None


@virtual
async def test_a_hint_that_comes_while_the_call_is_read_is_not_lost():
    class SlowToRead(FlakyJournal):
        async def read(self, call_id, *, after=0):
            events = await super().read(call_id, after=after)
            await sleep(0.1)
            return events

    async with processes(2, journal=SlowToRead(LoopClock())) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        kill(stages[0])
        await sleep(LEASE - 0.1)
        while not stages[1].runtime._hosting.loading:
            await sleep(0.01)
        await sleep(0.05)
        began = asyncio.get_running_loop().time()
        [kept] = await stages[0].journal.append(
            [event("transcription", began, id="f", sequence=2, text="hello")], sender="p9"
        )
        assert not kept.duplicate
        while len(await stages[1].said()) < 3:
            await sleep(0.01)
        # Sooner than the next poll would have found it.
        assert asyncio.get_running_loop().time() - began < 0.2


@virtual
async def test_who_waits_at_a_process_that_loses_the_call_hears_what_the_next_owner_answers():
    async with processes(2) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        journal = stages[0].journal
        journal.delay = 0.3
        waiting = asyncio.create_task(stages[0].tell("transcription", id="f", wait=9, sequence=2, text="hello"))
        await sleep(0.1)
        lease = await journal.claim(CALL, "p1", force=True)
        row = await journal.call(CALL)
        assert lease is not None
        assert row is not None
        journal.delay = 0.0
        await stages[1].runtime._hosting.actor(row, lease)
        stages[0].runtime._actors[CALL].lose()
        receipt = await waiting
        assert receipt.turn is not None
        assert receipt.turn.sentences[0].text == "You said hello."
        assert asyncio.get_running_loop().time() < 2


@virtual
async def test_a_step_of_sharing_that_breaks_is_tried_again():
    class Breaking(FlakyJournal):
        broken = False

        async def news(self, after, *, own=False):
            if self.broken:
                raise RuntimeError("a bug")
            return await super().news(after, own=own)

    journal = Breaking(LoopClock())
    async with processes(2, journal=journal) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        journal.broken = True
        waiting = asyncio.create_task(stages[1].tell("transcription", wait=9, sequence=2, text="hello"))
        await sleep(1)
        journal.broken = False
        receipt = await waiting
        assert receipt.turn is not None


class Booking:
    """An action that takes so many seconds."""

    seconds = 1.0

    async def run(self, request: ActionRequest) -> ActionOutcome:
        await sleep(self.seconds)
        return ActionOutcome(status=ActionStatus.DONE, reason="ok")

    async def probe(self, request: ActionRequest) -> None:
        """It cannot tell."""


@virtual
async def test_an_outcome_is_told_once_wherever_the_caller_is_answered():
    booking = Booking()

    def told(receipt) -> list[str]:
        return [each.sentences[0].text for each in receipt.outcomes]

    async with processes(2, actions=lambda _: booking) as stages:
        owner, other = stages
        await owner.tell("call_started", wait=5, sequence=1)
        quick = await other.tell("transcription", id="q", wait=9, sequence=2, text="book")
        assert told(quick) == ["The booking is done: ok."]
        assert asyncio.get_running_loop().time() < 1.5
        assert told(await owner.tell("transcription", wait=9, sequence=3, text="hello")) == []
        booking.seconds = 4.0
        slow = await other.tell("transcription", wait=9, sequence=4, text="book")
        assert told(slow) == []
        await sleep(5)
        after = [
            await stage.tell("transcription", id="a", wait=9, sequence=5, text="hello") for stage in (other, owner)
        ]
        assert [told(each) for each in after] == [["The booking is done: ok."]] * 2
        assert told(await other.tell("transcription", wait=9, sequence=6, text="hello")) == []
        # A copy hears what the request heard.
        assert told(await owner.tell("transcription", id="q", wait=9, sequence=2, text="book")) == told(quick)


async def until_refused(stage: Stage, most: int) -> int:
    """How many events of the call are taken in before one is refused."""
    for number in range(most):
        try:
            await stage.tell("transcription", sequence=1000 + number, text="so I", final=False)
        except MailboxFull:
            return number
        await sleep(0.01)
    return most


@virtual
async def test_a_call_that_has_enough_waiting_is_refused_at_every_process():
    async with processes(2, max_waiting=8) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        journal = stages[0].journal
        # The owner cannot go on, and events come in.
        journal.refusing = EventType.TURN_OPENED
        await stages[1].tell("transcription", sequence=2, text="hello")
        assert 8 <= await until_refused(stages[1], 100) < 12
        journal.refusing = None
        await sleep(3)
        receipt = await stages[1].tell("transcription", wait=5, sequence=3, text="more")
        assert receipt.turn is not None
        assert await until_refused(stages[1], 50) == 50


@virtual
async def test_a_receipt_tells_how_the_words_reach_the_caller_wherever_it_is_given():
    async with processes(2) as stages:
        for call, channel in (("spoken", Channel.MEDIA), ("answered", Channel.ANSWER)):
            await stages[0].tell("agent_ready", sequence=1, id=f"{call}-1", call=call, reply_channel=channel.value)
            await stages[0].tell("call_started", sequence=2, id=f"{call}-2", call=call)
            for number, stage in enumerate(stages, 3):
                said = {"id": f"{call}-{number}", "call": call, "sequence": number, "text": "hello"}
                receipt = await stage.tell("transcription", wait=5, **said)
                assert receipt.turn is not None
                assert receipt.channel is channel


@virtual
async def test_who_waits_at_a_process_that_ends_is_not_kept_waiting():
    class Slow(Echo):
        async def respond(self, context):
            if context.input.text:
                await sleep(8)
            async for step in super().respond(context):
                yield step

    async with processes(2, responder=Slow()) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        waiting = asyncio.create_task(stages[1].tell("transcription", wait=9, sequence=2, text="hello"))
        await sleep(1)
        await stages[1].runtime.stop()
        receipt = await asyncio.wait_for(waiting, 0.1)
        assert receipt.turn is None


@virtual
async def test_a_call_that_was_taken_over_and_could_not_be_read_is_read_again():
    class Unreadable(FlakyJournal):
        unreadable = 0

        async def read(self, call_id, *, after=0):
            if self.unreadable:
                self.unreadable -= 1
                raise JournalUnavailable("the line is cut")
            return await super().read(call_id, after=after)

    journal = Unreadable(LoopClock())
    async with processes(2, journal=journal) as stages:
        await stages[0].tell("call_started", wait=5, sequence=1)
        kill(stages[0])
        # Nobody tells of it again: it was kept by the process that died.
        await journal.append([event("transcription", 0.1, id="f", sequence=2, text="hello")])
        journal.unreadable = 3
        await sleep(LEASE + 1)
        assert stages[1].runtime.active == 1
        assert await stages[1].said() == [GREETING, "You said hello.", "That was turn 2 of this call."]
