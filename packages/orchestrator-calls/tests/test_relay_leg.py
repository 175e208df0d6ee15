"""Speaking through the relay: text goes out at once, cycle by cycle, and what the relay tells becomes reports of playback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from calls_support import virtual

from orchestrator_calls.events import EventType
from orchestrator_calls.legs import conversation_relay as wire
from orchestrator_calls.legs._heard import seconds_to_speak
from orchestrator_calls.legs.relay_leg import RelayLeg
from orchestrator_calls.playback import MediaClosed, Report
from orchestrator_kernel.ports import Json, SpeechRequest
from orchestrator_kernel.virtual_time import LoopClock


class Relay:
    """The other side of the socket: keeps what comes."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.gone = False

    async def send(self, message: Mapping[str, Json]) -> None:
        if self.gone:
            raise MediaClosed
        self.messages.append(json.loads(json.dumps(message)))

    async def close(self, code: int, reason: str) -> None:
        self.closed = code, reason

    @property
    def spoken(self) -> str:
        return "".join(each["token"] for each in self.messages if each["type"] == "text")


@asynccontextmanager
async def speaking() -> AsyncIterator[tuple[RelayLeg, Relay, list[Report]]]:
    relay, reports = Relay(), list[Report]()
    leg = RelayLeg(relay, LoopClock(), reports.append, language="en-US")
    task = asyncio.create_task(leg.run())
    try:
        yield leg, relay, reports
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def request(text: str, language: str = "en-US") -> SpeechRequest:
    return SpeechRequest(text=text, language=language)


def kinds(reports: list[Report]) -> list[tuple[str, str, str | None]]:
    return [(each.type.value, each.key, each.heard) for each in reports]


@virtual
async def test_a_sentence_goes_out_before_the_next_is_written() -> None:
    async with speaking() as (leg, relay, reports):
        leg.speak("t1/0", request("Good evening."), asyncio.get_running_loop().time())
        await asyncio.sleep(0.25)
        assert relay.messages == [
            {"type": "text", "token": "Good evening. ", "last": False, "preemptible": True, "lang": "en-US"}
        ]
        assert reports[0].type is EventType.PLAYBACK_STARTED
        assert reports[0].latency_ms is not None
        assert reports[0].latency_ms < 1
        leg.speak("t1/1", request("How may I help?"))
        leg.through("t1")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert relay.spoken == "Good evening. How may I help? "
        assert relay.messages[-1] == {"type": "text", "token": "", "last": True, "preemptible": True}


@virtual
async def test_each_turn_is_a_talk_cycle_of_its_own() -> None:
    async with speaking() as (leg, relay, _):
        leg.speak("t1/0", request("One."))
        leg.through("t1")
        leg.speak("t2/0", request("Two."))
        leg.through("t2")
        await asyncio.sleep(0.01)
        assert [(each["token"], each["last"]) for each in relay.messages] == [
            ("One. ", False),
            ("", True),
            ("Two. ", False),
            ("", True),
        ]


@virtual
async def test_what_is_said_again_of_a_turn_is_a_cycle_with_an_end_of_its_own() -> None:
    async with speaking() as (leg, relay, _):
        leg.speak("t1/0", request("One."))
        leg.through("t1")
        await asyncio.sleep(0.1)
        leg.speak("t1/1", request("And one."))
        await asyncio.sleep(0.1)
        assert [(each["token"], each["last"]) for each in relay.messages] == [
            ("One. ", False),
            ("", True),
            ("And one. ", False),
            ("", True),
        ]


@virtual
async def test_a_sentence_is_sent_when_the_one_before_it_is_nearly_played() -> None:
    """What the relay has is lost with the socket, so it has little; what it lacks is never heard as a pause."""
    text = "Breakfast is served in the restaurant from seven to half past ten, and on Sundays until noon."
    async with speaking() as (leg, relay, _):
        leg.speak("t1/0", request(text))
        leg.speak("t1/1", request("Anything else?"))
        await asyncio.sleep(1)
        assert relay.spoken == f"{text} "
        await asyncio.sleep(seconds_to_speak(text) * 0.7 - 2.1)
        assert relay.spoken == f"{text} "
        await asyncio.sleep(0.2)
        assert relay.spoken == f"{text} Anything else? "


@virtual
async def test_the_next_sentence_is_sent_at_once_when_the_relay_tells_that_it_is_through() -> None:
    text = "Breakfast is served in the restaurant from seven to half past ten, and on Sundays until noon."
    async with speaking() as (leg, relay, _):
        leg.speak("t1/0", request(text))
        leg.speak("t1/1", request("Anything else?"))
        await asyncio.sleep(1)
        leg.played(wire.Played(text))
        await asyncio.sleep(0.01)
        assert relay.spoken == f"{text} Anything else? "


@virtual
async def test_another_language_is_heard_and_spoken_from_the_first_sentence_in_it() -> None:
    async with speaking() as (leg, relay, _):
        leg.speak("t1/0", request("Guten Abend.", "de-DE"))
        leg.speak("t1/1", request("Wie kann ich helfen?", "de-DE"))
        await asyncio.sleep(0.01)
        assert [each["type"] for each in relay.messages] == ["language", "text", "text"]
        assert relay.messages[0]["transcriptionLanguage"] == "de-DE"


@virtual
async def test_an_interruption_keeps_the_words_that_were_heard() -> None:
    async with speaking() as (leg, relay, reports):
        leg.speak("t1/0", request("We have a table for four."))
        leg.speak("t1/1", request("Shall I book it?"))
        await asyncio.sleep(1)
        assert leg.interrupted(wire.Interrupt("We have a table", 900))
        assert kinds(reports)[2:] == [
            ("playback_cleared", "t1/0", "We have a table"),
            ("playback_cleared", "t1/1", ""),
        ]
        assert leg.silent
        assert not leg.interrupted(wire.Interrupt("", 0))  # nothing was being spoken
        assert relay.spoken.startswith("We have")


@virtual
async def test_what_the_relay_played_is_finished_at_once() -> None:
    async with speaking() as (leg, _, reports):
        leg.speak("t1/0", request("Good evening."))
        await asyncio.sleep(0.1)
        leg.played(wire.Played("Good evening."))
        assert kinds(reports)[-1] == ("playback_finished", "t1/0", None)
        assert leg.silent


@virtual
async def test_a_relay_that_tells_nothing_is_waited_for_as_long_as_the_text_takes() -> None:
    async with speaking() as (leg, _, reports):
        leg.speak("t1/0", request("Good evening, this is the desk."))
        await asyncio.sleep(seconds_to_speak("Good evening, this is the desk.") - 0.05)
        assert not leg.silent
        await asyncio.sleep(0.1)
        assert leg.silent
        assert kinds(reports)[-1][0] == "playback_finished"


@virtual
async def test_an_order_ends_the_session_with_what_to_do_next() -> None:
    async with speaking() as (leg, relay, _):
        leg.control({"type": "transfer", "key": "transfer/t1", "target": "operator", "reason": "asked"})
        await asyncio.sleep(0.01)
        assert json.loads(relay.messages[-1]["handoffData"])["target"] == "operator"
        leg.speak("t2/0", request("Too late."))
        await asyncio.sleep(0.01)
        assert relay.spoken == ""


@virtual
async def test_audio_and_keys_are_sent_and_unknown_orders_are_not() -> None:
    async with speaking() as (leg, relay, _):
        leg.control({"type": "play", "source": "https://example.com/hold.mp3"})
        leg.control({"type": "send_digits", "digits": "12#"})
        leg.control({"type": "send_digits", "digits": "twelve"})
        leg.control({"type": "dance"})
        await asyncio.sleep(0.01)
        assert [each["type"] for each in relay.messages] == ["play", "sendDigits"]


@virtual
async def test_the_end_of_the_call_is_told_and_then_the_socket_is_closed() -> None:
    async with speaking() as (leg, relay, _):
        leg.end({"type": "bye", "state": "ended", "reason": "hung up"})
        await asyncio.sleep(0.01)
        assert relay.messages[-1]["type"] == "end"
        assert relay.closed is None  # the relay closes by itself
        await asyncio.sleep(5)
        assert relay.closed == (1000, "the call is over")


@virtual
async def test_a_process_that_ends_only_closes_so_that_the_call_goes_on_elsewhere() -> None:
    async with speaking() as (leg, relay, reports):
        leg.speak("t1/0", request("Good evening, this is the desk of the house."))
        await asyncio.sleep(1.5)
        leg.end({"type": "bye", "reason": "restart"})
        await asyncio.sleep(0.01)
        assert relay.closed == (1012, "connect again")
        assert "end" not in [each["type"] for each in relay.messages]
        kind, _, heard = kinds(reports)[-1]
        assert kind == "playback_cleared"
        assert heard
        assert "Good evening, this is the desk of the house.".startswith(heard)


@virtual
async def test_what_was_never_sent_is_reported_when_it_is_stopped() -> None:
    relay, reports = Relay(), list[Report]()
    leg = RelayLeg(relay, LoopClock(), reports.append, language="en-US")
    leg.speak("t1/0", request("One."))
    leg.speak("t2/0", request("Two."))
    leg.stop(["t1/0"])
    assert kinds(reports) == [("playback_cleared", "t1/0", "")]
    assert not leg.silent


@virtual
async def test_a_relay_that_is_gone_ends_the_leg_with_an_account_of_what_was_heard() -> None:
    relay, reports = Relay(), list[Report]()
    leg = RelayLeg(relay, LoopClock(), reports.append, language="en-US")
    leg.speak("t1/0", request("One moment please."))
    task = asyncio.create_task(leg.run())
    await asyncio.sleep(0.1)
    relay.gone = True
    leg.speak("t1/1", request("Two."))
    with pytest.raises(MediaClosed):
        await task
    assert kinds(reports)[-1][:2] == ("playback_cleared", "t1/0")
    assert [each.key for each in reports] == ["t1/0", "t1/0"]  # the next leg speaks what this one never began
    assert leg.silent


@virtual
async def test_no_token_of_a_sentence_goes_out_before_it_is_permitted() -> None:
    relay, reports, asked = Relay(), list[Report](), dict[str, asyncio.Future[bool]]()

    async def permit(key: str) -> bool:
        asked[key] = asyncio.get_running_loop().create_future()
        return await asked[key]

    leg = RelayLeg(relay, LoopClock(), reports.append, language="en-US", permit=permit)
    task = asyncio.create_task(leg.run())
    for number, text in enumerate(("One.", "Two.", "Three.")):
        leg.speak(f"t1/{number}", request(text))
    leg.through("t1")
    await asyncio.sleep(1)
    assert relay.messages == []
    leg.control({"type": "play", "source": "https://example.com/hold.mp3"})
    await asyncio.sleep(0.01)
    assert [each["type"] for each in relay.messages] == ["play"]  # what is no sentence does not wait
    asked["t1/0"].set_result(True)
    await asyncio.sleep(0.01)
    assert relay.spoken == "One. "
    asked["t1/1"].set_result(False)
    await asyncio.sleep(0.01)
    leg.stop(["t1/2"])
    await asyncio.sleep(0.01)
    assert relay.spoken == "One. "
    assert relay.messages[-1]["last"] is True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
