"""Speaking through ConversationRelay: sentences go out as text the moment they are durable, and the relay's reports become ours.

To the runtime this leg is what `playback.Player` is for the media socket. The turn is the relay's talk cycle: its sentences are tokens, and the last
message of the cycle is sent when the answer is written to its end. What was heard is counted by `_relay_account.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

from orchestrator_calls.events import EventType
from orchestrator_calls.legs import conversation_relay as wire
from orchestrator_calls.legs._relay_account import Account
from orchestrator_calls.playback import Permit, Report
from orchestrator_calls.responder import HangUp, Transfer
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import Clock, Json, SpeechRequest

__all__ = ["RelayLeg", "RelaySink"]

logger = logging.getLogger(__name__)

LEAD: Final = 1.0
"""Seconds of speech that the relay has left when it is given the next sentence: early enough that no pause is heard, and late enough that
hardly a sentence is lost in the relay when the socket breaks."""

END_LIMIT: Final = 2.0
"""Seconds that the relay has to close the socket after it was told to end."""


class RelaySink(Protocol):
    """Where messages to the relay go, in the order they are sent."""

    async def send(self, message: Mapping[str, Json]) -> None:
        """Send one message. Raises MediaClosed."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close the socket; harmless when it is closed."""
        ...


class RelayLeg:
    """Speaks the sentences of one call through the relay.

    Args:
        sink: The relay's socket.
        clock: Times what was heard where the relay does not tell.
        report: Called with every report; must not block.
        language: What the relay hears and speaks at first, BCP 47.
        permit: Asked before a sentence begins; None to begin at once.
        transfers: Whether the relay's side carries transfers out; otherwise somebody else does, and the session goes on meanwhile.
    """

    def __init__(
        self,
        sink: RelaySink,
        clock: Clock,
        report: Callable[[Report], None],
        *,
        language: str,
        permit: Permit | None = None,
        transfers: bool = True,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._tell = report
        self._language = language
        self._permit = permit
        self._transfers = transfers
        self._asked: tuple[str, asyncio.Future[bool]] | None = None
        self._queue: deque[tuple[str, SpeechRequest, float | None]] = deque()
        self._controls: deque[Mapping[str, Json]] = deque()
        self._account = Account()
        self._cycle = ""
        self._written = ""
        self._over = False
        self._farewell: tuple[int, str] | None = None
        self._wake = asyncio.Event()

    # --- from the runtime ---------------------------------------------------------------------------------------------------

    @property
    def silent(self) -> bool:
        """Whether nothing is spoken, and nothing is left to be reported."""
        return not self._queue and not self._account.begun

    @property
    def begun(self) -> frozenset[str]:
        """The sentences that the relay has and whose end is not reported yet."""
        return self._account.begun

    def speak(self, key: str, request: SpeechRequest, since: float | None = None) -> None:
        """Speak a sentence after the ones before it; `since` is when its turn began (monotonic)."""
        self._queue.append((key, request, since))
        self._wake.set()

    def through(self, turn: str) -> None:
        """No further sentence of this turn comes."""
        self._written = turn
        self._wake.set()

    def stop(self, keys: Collection[str] | None = None, *, reason: str = "interrupted") -> None:
        """These sentences (all) are not to be spoken any more, and report what was heard of each.

        The relay knows no order to fall silent: it does so by itself when the caller speaks or presses a key, and when the next turn begins.
        """
        self._report([*self._account.stop(keys, self._clock.monotonic(), reason), *self._drop(keys, reason)])

    def _drop(self, keys: Collection[str] | None, reason: str) -> list[Report]:
        """Sentences that were never sent."""
        dropped = [key for key, _, _ in self._queue if keys is None or key in keys]
        self._queue = deque(each for each in self._queue if each[0] not in dropped)
        return [Report(EventType.PLAYBACK_CLEARED, key, 0, "", reason) for key in dropped]

    def control(self, message: Mapping[str, Json]) -> None:
        """Carry out an order of the core: `hang_up`, `transfer`, `play` (with `source`) or `send_digits` (with `digits`)."""
        order = None if message.get("type") == "transfer" and not self._transfers else _order(message)
        if order is None:
            logger.debug("the relay has no such order", extra={"order": message.get("type")})
            return
        self._controls.append(order)
        self._wake.set()

    def end(self, message: Mapping[str, Json]) -> None:
        """Say nothing more. A call that goes on elsewhere only closes the socket, upon which Twilio asks where to."""
        reason = message.get("reason")
        if reason == "restart":
            self._farewell = 1012, "connect again"
        elif reason == "another leg took over":
            self._farewell = 1000, "another leg took over"
        else:
            self._farewell = 1000, "the call is over"
            self._controls.append(wire.end())
        self._wake.set()

    # --- from the relay -----------------------------------------------------------------------------------------------------

    def interrupted(self, frame: wire.Interrupt) -> bool:
        """The caller spoke over us; false when nothing was being spoken, as far as we know."""
        spoke = not self.silent
        self._report(
            [*self._account.interrupted(frame.heard, self._clock.monotonic()), *self._drop(None, "interrupted")]
        )
        return spoke

    def played(self, frame: wire.Played) -> None:
        """The relay played this text."""
        self._report(self._account.played(frame.text, self._clock.monotonic()))

    def speaking(self, frame: wire.Speaking) -> None:
        """The relay's voice began to speak or fell silent."""
        if frame.who == "desk":
            self._report(self._account.speaking(self._clock.monotonic(), on=frame.on))

    # --- the shell ----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send until cancelled, until told to end, or until the relay is gone (MediaClosed)."""
        try:
            while True:
                self._wake.clear()
                await self._say()
                while self._controls:
                    await self._send(self._controls.popleft())
                self._report(self._account.expire(self._clock.monotonic()))
                if self._farewell is not None:
                    await self._part(*self._farewell)
                    return
                await self._rest()
        finally:
            self._report(self._account.stop(None, self._clock.monotonic(), "leg lost"))
            # What was never sent is not reported: the next leg speaks it.
            self._queue.clear()
            if self._asked is not None:
                self._asked[1].cancel()

    async def _say(self) -> None:
        while self._queue and not self._over and self._farewell is None:
            if self._account.left(self._clock.monotonic()) > LEAD:
                break
            key, request, since = self._queue[0]
            permitted = self._permitted(key)
            if permitted is None:
                break
            self._queue.popleft()
            if permitted:
                await self._begin_cycle(key.rpartition("/")[0], request.language)
                await self._send(wire.text(f"{request.text.strip()} ", last=False, language=request.language))
                self._report([self._account.give(key, request.text, self._clock.monotonic(), since)])
        if self._cycle == self._written and not any(key.rpartition("/")[0] == self._cycle for key, _, _ in self._queue):
            await self._end_cycle()

    def _permitted(self, key: str) -> bool | None:
        """Whether the sentence may begin; None while that is being asked, and `run` is woken when it is known."""
        if self._permit is None:
            return True
        if self._asked is None or self._asked[0] != key:
            if self._asked is not None:
                self._asked[1].cancel()
            asked = asyncio.ensure_future(self._permit(key))
            asked.add_done_callback(lambda _: self._wake.set())
            self._asked = key, asked
        return self._asked[1].result() if self._asked[1].done() else None

    async def _begin_cycle(self, turn: str, language: str) -> None:
        if turn != self._cycle:
            await self._end_cycle()
            self._cycle = turn
        if language != self._language:
            self._language = language
            await self._send(wire.language(language))

    async def _end_cycle(self) -> None:
        if self._cycle:
            self._cycle = ""
            await self._send(wire.text("", last=True))

    async def _send(self, message: Mapping[str, Json]) -> None:
        if self._over:
            return
        self._over = message["type"] == "end"
        await self._sink.send(message)

    async def _part(self, code: int, reason: str) -> None:
        self._report(self._account.stop(None, self._clock.monotonic(), "leg lost"))
        if self._over:
            # The relay closes after its end; only then the handoff is sure to be read.
            await self._clock.sleep(END_LIMIT)
        await self._sink.close(code, reason)

    async def _rest(self) -> None:
        now = self._clock.monotonic()
        waits = [] if self._account.due is None else [self._account.due - now]
        if self._queue and (left := self._account.left(now)) > LEAD:
            waits.append(left - LEAD)
        # Not by less than the clock can tell.
        delay = max(0.001, min(waits)) if waits else None
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            return

    def _report(self, reports: Collection[Report]) -> None:
        for report in reports:
            self._tell(report)
            self._wake.set()


def _order(message: Mapping[str, Json]) -> dict[str, Json] | None:
    key, reason = str(message.get("key", "")), str(message.get("reason", ""))
    match message.get("type"):
        case "hang_up":
            return wire.end(HangUp(reason), key)
        case "transfer":
            return wire.end(Transfer(str(message.get("target", "")), reason), key)
        case "play":
            return wire.play(str(message.get("source", "")))
        case "send_digits":
            try:
                return wire.send_digits(str(message.get("digits", "")))
            except ValidationError:
                return None
        case _:
            return None
