"""The demo's first call: LiveKit's webhooks, agent events, and the speech on the media socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from orchestrator_app.cli._call_document import call_document
from orchestrator_app.cli._client import CallClient
from orchestrator_app.cli._ear import Ear, Heard
from orchestrator_kernel.ports import Json, SystemClock

__all__ = ["CALLER", "DIALED", "TENANT", "Script", "Show", "check", "document"]

TENANT: Final = "demo"
CALLER: Final = "+4930901820"
DIALED: Final = "+4930901821"
WAIT: Final = 30.0


@dataclass(slots=True)
class Show:
    """Tells what happens, unless it is to be quiet, and keeps what the client saw."""

    quiet: bool
    clock: SystemClock
    started: float = 0.0
    asked_at: float | None = None
    first_audio_ms: list[float] = field(default_factory=list[float])
    duplicates: int = 0
    out_of_order: int = 0
    failures: list[str] = field(default_factory=list[str])

    def say(self, who: str, text: str) -> None:
        if not self.quiet:
            print(f"{self.clock.monotonic() - self.started:6.2f}s  {who:<8} {text}", flush=True)  # noqa: T201

    def notice(self, what: str, heard: Heard) -> None:
        if what == "begin":
            late = ""
            if self.asked_at is not None:
                waited = (self.clock.monotonic() - self.asked_at) * 1000
                self.first_audio_ms.append(waited)
                self.asked_at = None
                late = f"   [{waited:.0f} ms]"
            self.say("desk", heard.text + late)
        elif what == "cut":
            self.say("", f"(interrupted after {heard.seconds:.1f} s)")
        elif what == "lost":
            self.say("", f"(the line is dead; {heard.seconds:.1f} s of the sentence were heard)")

    def expect(self, condition: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
        if not condition:
            self.failures.append(what)
            self.say("!", f"expected: {what}")


@dataclass(slots=True)
class Script:
    """The call, step by step."""

    show: Show
    client: CallClient
    ear: Ear
    call_id: str
    disaster: Callable[[], Awaitable[None]] | None = None
    silence: float | None = None

    async def play(self) -> None:
        await self._ring()
        await self._say("I'd like to book a table for four on Friday at seven")
        await self._say("The name is Harbour")
        await self._twice("yes")
        await self._keys("2")
        await self._interrupt()
        await self._say("Goodbye")
        await self._hang_up()

    async def _ring(self) -> None:
        caller: dict[str, Json] = {
            "sid": "PA_caller",
            "identity": "sip_caller",
            "kind": "SIP",
            "attributes": {"sip.phoneNumber": CALLER, "sip.trunkPhoneNumber": DIALED},
        }
        self.show.say("phone", f"{CALLER} rings")
        await self.client.webhook("room_started", self.call_id)
        self.show.asked_at = self.show.clock.monotonic()
        await self.client.webhook("participant_joined", self.call_id, caller)
        await self.client.event(self._event("agent_ready", reply_channel="media"))
        await self._answered("the greeting")

    def _event(self, kind: str, **data: Json) -> dict[str, Json]:
        return self.client.next_event(kind, self.call_id, TENANT, **data)

    async def _say(self, text: str) -> None:
        """The caller speaks: the partial arrives after the final, as networks do, and changes nothing."""
        partial = self._event("transcription", text=text[: len(text) // 2], final=False)
        final = self._event("transcription", text=text, final=True, language="en-US", confidence=0.94)
        self.show.say("caller", text)
        self.show.asked_at = self.show.clock.monotonic()
        if self.show.out_of_order == 0:
            self.show.out_of_order += 1
            answers = await asyncio.gather(self.client.event(final), self._later(partial))
            self.show.say("", "(a partial transcript came after the final one: put in order)")
            self.show.expect(
                answers[0]["status"] == "processed", "the final transcript is taken in although it came too early"
            )
        else:
            await self.client.event(partial)
            await self.client.event(final)
        if self.disaster is not None and self.silence is None:
            await self._survive(self.disaster)
        await self._answered(f"the answer to “{text}”")

    async def _survive(self, disaster: Callable[[], Awaitable[None]]) -> None:
        """In the middle of a sentence the process that speaks is killed; the caller hears the rest."""
        await self.ear.until(
            lambda ear: not ear.sentences[-1].over and ear.sentences[-1].seconds > 1.0, WAIT, "a sentence"
        )
        spoken = len(self.ear.sentences)
        self.show.say("", "(SIGKILL)")
        killed_at = self.show.clock.monotonic()
        await disaster()
        await self.ear.until(
            lambda ear: len(ear.sentences) > spoken and ear.sentences[spoken].seconds > 0, WAIT, "the call going on"
        )
        self.silence = self.show.clock.monotonic() - killed_at
        self.show.say("", f"(the call goes on after {self.silence:.1f} s)")
        cut, rest = self.ear.sentences[spoken - 1], self.ear.sentences[spoken]
        self.show.expect(
            rest.key == f"{cut.key}+" and cut.text.endswith(rest.text) and rest.text != cut.text,
            "the sentence goes on after the last word that was heard",
        )

    async def _later(self, event: dict[str, Json]) -> dict[str, str]:
        await self.show.clock.sleep(0.04)
        return await self.client.event(event)

    async def _twice(self, text: str) -> None:
        """The same event again, as a sender does that missed our answer."""
        final = self._event("transcription", text=text, final=True, language="en-US", confidence=0.99)
        self.show.say("caller", text)
        self.show.asked_at = self.show.clock.monotonic()
        await self.client.event(final)
        again = await self.client.event(final)
        self.show.duplicates += bool(again["duplicate"])
        self.show.say("", "(the event was sent a second time: answered the same, nothing said twice)")
        self.show.expect(bool(again["duplicate"]), "the second copy of an event is told as a duplicate")
        await self._answered(f"the answer to “{text}”")

    async def _keys(self, digit: str) -> None:
        self.show.say("caller", f"presses {digit}")
        self.show.asked_at = self.show.clock.monotonic()
        before = len(self.ear.sentences)
        await self.client.event(self._event("dtmf", digit=digit))
        await self.ear.until(
            lambda ear: len(ear.sentences) > before and ear.sentences[before].seconds > 0, WAIT, "the menu's answer"
        )

    async def _interrupt(self) -> None:
        """The caller speaks while the desk does."""
        sentence = self.ear.sentences[-1]
        await self.show.clock.sleep(1.2)
        self.show.say("caller", "(begins to speak)")
        await self.client.event(self._event("speech_started"))
        await self.ear.until(
            lambda _: sentence.over or self.ear.sentences[-1].over, WAIT, "silence after the interruption"
        )
        cut = [each for each in self.ear.sentences if each.cleared]
        self.show.expect(bool(cut), "the speech stops when the caller begins to speak")

    async def _answered(self, what: str) -> None:
        """Wait until the desk has said all it has to say."""
        before = len(self.ear.sentences)
        await self.ear.until(lambda ear: len(ear.sentences) > before or self._through(ear), WAIT, what)
        await self.show.clock.sleep(0.15)
        await self.ear.until(self._through, WAIT, f"the end of {what}")
        await self.show.clock.sleep(0.4)

    @staticmethod
    def _through(ear: Ear) -> bool:
        return bool(ear.sentences) and all(each.over for each in ear.sentences)

    async def _hang_up(self) -> None:
        await self.ear.until(
            lambda ear: any(order["type"] == "hang_up" for order in ear.orders), WAIT, "the order to hang up"
        )
        self.show.say("desk", "hangs up")
        await self.client.webhook(
            "participant_left", self.call_id, {"sid": "PA_caller", "identity": "sip_caller", "kind": "SIP"}
        )
        await self.client.webhook("room_finished", self.call_id)
        await self.ear.until(
            lambda ear: any(order["type"] == "bye" for order in ear.orders), WAIT, "the end of the call"
        )


def check(show: Show, view: dict[str, Json], heard: list[Heard]) -> None:
    """What the script promises of the call as the service tells it, and as the caller heard it."""
    keys = [each.key for each in heard]
    show.expect(len(keys) == len(set(keys)), "no sentence begins twice")
    turns = cast("list[dict[str, Json]]", view["turns"])
    kinds = [turn["kind"] for turn in turns]
    show.expect(view["state"] == "ended", "the call is ended")
    show.expect(
        kinds == ["greeting", "speech", "speech", "speech", "digits", "speech"], "one turn per input, in their order"
    )
    show.expect(all(turn["outcome"] == "answered" and turn["spoken"] for turn in turns), "every turn is answered")
    pressed = [turn for turn in turns if turn["kind"] == "digits"]
    show.expect(all(turn["interrupted"] for turn in pressed), "the menu's answer is interrupted")
    show.expect(
        all(turn["heard"] != " ".join(cast("list[str]", turn["spoken"])) for turn in pressed),
        "only what was heard of it is kept as heard",
    )
    booking = str(turns[1]["spoken"]) + str(turns[2]["spoken"]) if len(turns) > 2 else ""
    show.expect("four" in booking or "4" in booking, "the number of guests is confirmed")
    show.expect(show.duplicates == 1 and show.out_of_order == 1, "a duplicate and an event out of order were sent")


def document(show: Show, view: dict[str, Json], wav: Path, seconds: float) -> dict[str, Json]:
    """The call as an entry of the demo's document."""
    audio: dict[str, Json] = {"file": str(wav), "seconds": round(seconds, 2)}
    return {**call_document(view, show.first_audio_ms), "audio": audio}
