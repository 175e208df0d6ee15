"""The script within the runtime: confirmed forms are carried out, and failed transfers come back to the caller."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from orchestrator_calls.actions import ActionOutcome, ActionStatus
from orchestrator_calls.dialogue import House, ScriptedResponder
from orchestrator_calls.events import Event, EventType
from orchestrator_calls.journal import MemoryJournal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_calls.transcript import as_json, as_text
from orchestrator_kernel.ports import SystemClock

HOUSE = House(
    actions=frozenset({"book_table", "take_message"}),
    consent={tag: (f"Recorded, {tag}.",) for tag in ("en", "de", "es", "fr")},
)


class Desk:
    """Carries actions out as it is told to; keeps what it was asked."""

    def __init__(self, *outcomes: ActionOutcome) -> None:
        self.outcomes = list(outcomes)
        self.asked = []

    async def run(self, request):
        self.asked.append(request)
        return self.outcomes.pop(0)

    async def probe(self, request):
        return None


@asynccontextmanager
async def calling(receptionist, desk):
    """A call to the receptionist; `say` and `tell` send its events."""
    responder = ScriptedResponder(receptionist, house=HOUSE)
    runtime = CallRuntime(
        journal=MemoryJournal(), responder=lambda _: responder, actions=lambda _: desk, phrase=responder.phrase
    )
    count = 0

    async def tell(kind, **payload):
        nonlocal count
        count += 1
        now = SystemClock().now()
        event = Event(
            id=f"e{count}",
            call_id="call-1",
            tenant="house",
            type=EventType(kind),
            source="agent",
            sequence=count,
            occurred_at=now,
            received_at=now,
            payload=payload,
        )
        await runtime.submit(event, wait=5)

    async def say(text):
        await tell("transcription", text=text, final=True)

    async def until(condition):
        async with asyncio.timeout(5):
            while not condition(call := await runtime.view("call-1")):
                await asyncio.sleep(0.01)
        return call

    async with runtime:
        await tell("call_started", caller="+4930901820", language="en-US")
        yield say, tell, until


def spoken(call):
    return " ".join(sentence.text for turn in call.turns.values() for sentence in turn.sentences)


async def test_the_caller_hears_what_the_tenants_system_said(receptionist):
    refused = ActionOutcome(status=ActionStatus.REFUSED, reason="fully_booked")
    done = ActionOutcome(status=ActionStatus.DONE, data={"confirmation_number": "AB12"})
    desk = Desk(refused, done)
    async with calling(receptionist, desk) as (say, _, until):
        await say("a table for two tomorrow at eight under the name Okafor")
        await say("yes")
        call = await until(lambda call: "no table is free" in spoken(call))
        assert "confirmed" not in spoken(call)
        await say("nine o'clock then")
        await say("yes")
        call = await until(lambda call: "A B 1 2" in spoken(call))
    assert [request.name for request in desk.asked] == ["book_table", "book_table"]
    assert [request.arguments["time"] for request in desk.asked] == ["20:00", "21:00"]
    assert len({request.key for request in desk.asked}) == 2
    assert desk.asked[0].caller == "+4930901820"
    assert [done["outcome"] for done in call.memory["completed"]] == ["refused", "done"]
    assert "One moment, I am passing that on." in as_text(call)


async def test_a_transfer_that_nobody_answers_ends_in_a_message(receptionist):
    desk = Desk(ActionOutcome(status=ActionStatus.DONE))
    async with calling(receptionist, desk) as (say, tell, until):
        await say("can I talk to somebody please")
        call = await until(lambda call: call.commands)
        key = next(iter(call.commands))
        await tell("transfer_failed", key=key, reason="busy")
        await until(lambda call: "nobody could be reached" in spoken(call))
        for words in ("yes please", "my invoice is wrong", "Okafor", "the number I'm calling from", "yes"):
            await say(words)
        call = await until(lambda call: "has been passed on" in spoken(call))
    assert desk.asked[0].arguments == {"message": "my invoice is wrong", "name": "Okafor", "phone": "caller"}


async def test_what_callers_were_told_is_in_the_call(receptionist):
    async with calling(receptionist, Desk()) as (_, _tell, until):
        call = await until(lambda call: call.turns)
    assert "Recorded, en." in as_text(call)
    assert [(each["kind"], each["language"]) for each in call.memory["notices"]] == [("consent", "en")]
    assert as_json(call)["turns"][0]["heard"].count("Recorded, en.") == 1
