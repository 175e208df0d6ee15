"""The runtime over the relay: a leg that speaks for itself is a leg like any other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from calls_support import CALL, Echo, FlakyJournal, Stage, virtual, working

from orchestrator_calls.events import CallState
from orchestrator_calls.legs import conversation_relay as wire
from orchestrator_calls.legs.relay_leg import RelayLeg
from orchestrator_calls.responder import InputKind, Say, Step, TurnContext
from orchestrator_kernel.ports import Json
from orchestrator_kernel.virtual_time import LoopClock

WORD_SECONDS = 0.2


class Relay:
    """Plays what it gets, a word after the other, and tells what was played."""

    def __init__(self) -> None:
        self.messages: list[tuple[float, Mapping[str, Json]]] = []
        self.closed: tuple[int, str] | None = None
        self.leg: RelayLeg | None = None
        self._until = 0.0

    async def send(self, message: Mapping[str, Json]) -> None:
        now = asyncio.get_running_loop().time()
        self.messages.append((now, message))
        token = str(message.get("token", "")).strip()
        if message["type"] == "text" and token:
            self._until = max(now, self._until) + len(token.split()) * WORD_SECONDS
            asyncio.get_running_loop().call_at(self._until, self._played, token)

    def _played(self, token: str) -> None:
        if self.leg is not None:
            self.leg.played(wire.Played(token))

    async def close(self, code: int, reason: str) -> None:
        self.closed = code, reason

    @property
    def spoken(self) -> list[str]:
        return [str(each["token"]).strip() for _, each in self.messages if each["type"] == "text" and each["token"]]

    def of(self, kind: str) -> list[tuple[float, Mapping[str, Json]]]:
        return [(at, each) for at, each in self.messages if each["type"] == kind]


@asynccontextmanager
async def relayed(stage: Stage) -> AsyncGenerator[tuple[Relay, RelayLeg], None]:
    """A relay at the call."""
    relay = Relay()
    async with stage.runtime.leg(
        CALL, lambda clock, report, permit: RelayLeg(relay, clock, report, language="en-US", permit=permit)
    ) as leg:
        relay.leg = leg
        yield relay, leg


async def started(stage: Stage) -> None:
    await stage.tell("call_started", sequence=1, reply_channel="media")


@virtual
async def test_a_conversation_is_kept_with_what_was_heard() -> None:
    async with working() as stage:
        await started(stage)
        async with relayed(stage) as (relay, _):
            await asyncio.sleep(3)
            await stage.tell("transcription", sequence=2, text="hello", final=True)
            await asyncio.sleep(5)
            call = await stage.call()
            assert relay.spoken == [
                "Good evening, this is the desk.",
                "You said hello.",
                "That was turn 2 of this call.",
            ]
            assert [turn.heard for turn in call.turns.values()] == [
                "Good evening, this is the desk.",
                "You said hello. That was turn 2 of this call.",
            ]
            assert [each["last"] for _, each in relay.of("text")] == [False, True, False, False, True]


@virtual
async def test_an_interruption_cuts_the_history_to_what_was_played() -> None:
    heard: list[str] = []

    class Remembering(Echo):
        async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
            heard[:] = [each.heard for each in context.history]
            async for step in super().respond(context):
                yield step

    async with working(Remembering()) as stage:
        await started(stage)
        async with relayed(stage) as (_, leg):
            await asyncio.sleep(0.7)
            assert leg.interrupted(wire.Interrupt("Good evening, this", 600))
            await stage.tell("transcription", sequence=2, text="hello", final=True)
            await asyncio.sleep(3)
    assert heard == ["Good evening, this"]


@virtual
async def test_silence_is_noticed_after_the_last_word_was_played() -> None:
    async with working() as stage:
        await started(stage)
        async with relayed(stage) as (relay, _):
            await asyncio.sleep(15)
            silences = [at for at, each in relay.of("text") if "still there" in str(each["token"])]
            # Six words of greeting, then the policy's eight seconds.
            assert len(silences) == 1
            assert 9.1 < silences[0] < 9.4


@virtual
async def test_the_call_is_hung_up_when_the_last_word_was_played() -> None:
    async with working() as stage:
        await started(stage)
        async with relayed(stage) as (relay, _):
            await asyncio.sleep(3)
            await stage.tell("transcription", sequence=2, text="goodbye", final=True)
            await asyncio.sleep(1)
            [(at, end)] = relay.of("end")
            assert json.loads(str(end["handoffData"]))["reasonCode"] == "hang_up"
            assert 3.4 <= at < 3.6  # "Goodbye then." takes two words' time
        await asyncio.sleep(10)
        assert (await stage.call()).state is CallState.ENDED


@virtual
async def test_a_transfer_goes_with_the_end_of_the_session() -> None:
    async with working() as stage:
        await started(stage)
        async with relayed(stage) as (relay, _):
            await asyncio.sleep(3)
            await stage.tell("transcription", sequence=2, text="operator", final=True)
            await asyncio.sleep(2)
            [(_, end)] = relay.of("end")
            handoff: dict[str, Any] = json.loads(str(end["handoffData"]))
            assert (handoff["reasonCode"], handoff["target"]) == ("transfer", "operator")
            assert (await stage.call()).state is CallState.TRANSFERRING


@virtual
async def test_the_first_sentence_is_spoken_while_the_second_is_written() -> None:
    class Slow(Echo):
        async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
            if context.input.kind is InputKind.GREETING:
                yield Say("Hello.", "en-US")
                return
            yield Say("One.", "en-US")
            await asyncio.sleep(2)
            yield Say("Two.", "en-US")

    async with working(Slow()) as stage:
        await started(stage)
        async with relayed(stage) as (relay, _):
            await asyncio.sleep(3)
            await stage.tell("transcription", sequence=2, text="count", final=True)
            await asyncio.sleep(4)
            times = {str(each["token"]).strip(): at for at, each in relay.of("text")}
            assert times["One."] < 3.1
            assert 5 <= times["Two."] < 5.1


@virtual
async def test_a_session_that_breaks_leaves_the_rest_to_the_next_and_says_nothing_twice() -> None:
    journal = FlakyJournal(LoopClock())
    async with working(journal=journal) as stage:
        await started(stage)
        async with relayed(stage) as (first, _):
            await asyncio.sleep(3)
            await stage.tell("transcription", sequence=2, text="hello", final=True)
            await asyncio.sleep(0.7)  # "You said hello." was played, the next sentence has begun
            first.leg = None
        async with relayed(stage) as (second, _):
            await asyncio.sleep(5)
        assert "You said hello." in first.spoken
        assert "You said hello." not in second.spoken
        assert "Good evening, this is the desk." not in second.spoken
        begun = [event.payload["key"] for event in await journal.read(CALL) if event.type.value == "playback_started"]
        assert len(set(begun)) == len(begun)  # no sentence starts twice


@virtual
async def test_the_end_of_the_call_ends_the_session() -> None:
    async with working() as stage:
        await started(stage)
        async with relayed(stage) as (relay, _):
            await asyncio.sleep(3)
            await stage.tell("call_ended", sequence=2, reason="caller left")
            await asyncio.sleep(3)
            assert json.loads(str(relay.of("end")[0][1]["handoffData"])) == {"reasonCode": "over"}
            assert relay.closed == (1000, "the call is over")
