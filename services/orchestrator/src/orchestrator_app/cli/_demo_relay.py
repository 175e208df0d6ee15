"""The demo's second call: over Twilio's ConversationRelay, whose socket breaks in the middle."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol, cast
from xml.etree import ElementTree as ET

from orchestrator_app.cli._call_document import call_document
from orchestrator_app.cli._client import CallClient, Service
from orchestrator_app.cli._relay import Relay, TwilioAccount, TwilioClient, relay_session
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import Clock, Json

__all__ = ["RelayShow", "relay_call"]

WAIT: Final = 30.0


class RelayShow(Protocol):
    """Tells what happens, and keeps what did not happen as the script says."""

    @property
    def clock(self) -> Clock:
        """Measures what the caller waits for."""
        ...

    def say(self, who: str, text: str) -> None:
        """Show a line."""
        ...

    def expect(self, condition: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
        """Keep `what` as a failure unless the condition holds."""
        ...


async def relay_call(
    show: RelayShow, service: Service, client: CallClient, account: TwilioAccount, *, caller: str, dialed: str
) -> dict[str, Json]:
    """Place the call; an entry of the demo document's `calls`.

    Args:
        show: Where it is shown.
        service: Running, with the account and the dialed number in its settings.
        client: Of the service, to look at the call.
        account: Signs what is sent.
        caller: A number, E.164.
        dialed: One of the tenant's numbers.
    """
    async with create_client(HttpClientConfig(base_url=service.url, read_timeout=20.0)) as http:
        script = _Script(show, client, TwilioClient(http, service.url, account, caller, dialed))
        try:
            await script.play()
        except TimeoutError as error:
            show.expect(False, str(error))
        view = await script.ended()
    script.check(view)
    return script.document(view)


@dataclass(slots=True)
class _Script:
    """The call, step by step."""

    show: RelayShow
    client: CallClient
    twilio: TwilioClient
    first_token_ms: list[float] = field(default_factory=list[float])
    sessions: int = 0
    heard: str = ""

    async def play(self) -> None:
        self.show.say("phone", f"{self.twilio.caller} rings at Twilio")
        verb = _connected(await self.twilio.post("voice", CallStatus="ringing", Direction="inbound"))
        async with self._session(verb) as relay:
            await self._answered(relay, "the greeting", whole=True)
            await self._say(relay, "When is breakfast?")
            await self._interrupted(relay)
        self.show.say("", "(the socket breaks: Twilio asks where to go on)")
        verb = _connected(
            await self.twilio.post(str(verb.get("action")), CallStatus="in-progress", SessionStatus="failed")
        )
        async with self._session(verb) as relay:
            await self._say(relay, "And when is check-out?", whole=True)
            await relay.say("Goodbye")
            self.show.say("caller", "Goodbye")
            await relay.until(lambda each: bool(each.order), WAIT, "the order to hang up")
        self.show.expect(relay.order.get("reasonCode") == "hang_up", "the session ends with the order to hang up")
        await self.twilio.post(str(verb.get("action")), CallStatus="in-progress", HandoffData=json.dumps(relay.order))
        self.show.say("desk", "hangs up")
        await self.twilio.post("status", CallStatus="completed")

    def _session(self, verb: ET.Element) -> AbstractAsyncContextManager[Relay]:
        self.sessions += 1
        noun = verb.find("ConversationRelay")
        url = str(noun.get("url")) if noun is not None else ""
        return relay_session(url, self.twilio, self.show.clock, lambda text: self.show.say("desk", text))

    async def _say(self, relay: Relay, text: str, *, whole: bool = False) -> None:
        self.show.say("caller", text)
        await relay.say(text[: len(text) // 2], last=False)
        await relay.say(text)
        await self._answered(relay, f"the answer to “{text}”", whole=whole)

    async def _answered(self, relay: Relay, what: str, *, whole: bool = False) -> None:
        """Wait for the first token of an answer, or for all of it."""
        asked, relay.first_token_at, cycles = self.show.clock.monotonic(), None, relay.cycles
        await relay.until(lambda each: each.first_token_at is not None, WAIT, what)
        self.first_token_ms.append(round((cast("float", relay.first_token_at) - asked) * 1000, 1))
        if whole:
            await relay.until(lambda each: each.cycles > cycles, WAIT, f"the end of {what}")

    async def _interrupted(self, relay: Relay) -> None:
        await relay.until(lambda each: bool(each.playing), WAIT, "the answer being played")
        await self.show.clock.sleep(0.4)
        self.heard = await relay.interrupt()
        self.show.say("caller", f"(speaks over it; heard: “{self.heard}”)")

    async def ended(self) -> dict[str, Json]:
        """The call once it is over, or as it is when that takes too long."""
        deadline = self.show.clock.monotonic() + WAIT
        while (view := await self.client.view(self.twilio.sid))["state"] != "ended":
            if self.show.clock.monotonic() > deadline:
                break
            await self.show.clock.sleep(0.05)
        return view

    def check(self, view: dict[str, Json]) -> None:
        """What the script promises of the call as the service tells it."""
        turns = cast("list[dict[str, Json]]", view["turns"])
        self.show.expect(view["state"] == "ended", "the relayed call is ended")
        kinds = [turn["kind"] for turn in turns]
        self.show.expect(
            kinds == ["greeting", "speech", "speech", "speech"], "one turn per input, though the socket broke"
        )
        cut = turns[1] if len(turns) > 1 else {}
        self.show.expect(cut.get("heard") == self.heard, "only what the relay played is kept as heard")

    def document(self, view: dict[str, Json]) -> dict[str, Json]:
        relay: dict[str, Json] = {"sessions": self.sessions, "events": view["events"]}
        return {**call_document(view, self.first_token_ms), "relay": relay}


def _connected(root: ET.Element | None) -> ET.Element:
    verb = root.find("Connect") if root is not None else None
    if verb is None:
        raise TimeoutError("TwiML that connects the call")
    return verb
