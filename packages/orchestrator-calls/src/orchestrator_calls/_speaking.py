"""The media side of one call: what was given to the player, and what its reports are in the journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from orchestrator_calls import decide as deciding
from orchestrator_calls.call import Call
from orchestrator_calls.events import Event, EventType
from orchestrator_calls.playback import LegPlayer, Report
from orchestrator_calls.responder import HangUp, Transfer
from orchestrator_kernel.ports import Json, SpeechRequest

__all__ = ["Speaking", "order_message", "report_payload"]


@dataclass(slots=True)
class Speaking:
    """Speaks for `call` through the leg that is attached.

    Attributes:
        voice: The voice's name for a tenant and language.
    """

    call: Call
    voice: Callable[[str, str], str | None]
    _player: LegPlayer | None = None
    _given: set[str] = field(default_factory=set[str])
    _leaving: set[str] = field(default_factory=set[str])
    _hushed: dict[str, str] = field(default_factory=dict[str, str])
    _ended: bool = False
    _through: str = ""

    @property
    def attached(self) -> bool:
        """Whether there is a leg."""
        return self._player is not None

    @property
    def silent(self) -> bool:
        """Whether nothing is being played or still to be reported."""
        return self._player is None or self._player.silent

    def attach(self, player: LegPlayer) -> None:
        """Speak through this leg from now on. One that was there before reports what was heard of what it began, and the rest is spoken here."""
        old, self._player = self._player, player
        if old is not None:
            self._given = set(old.begun)
            # Nothing is spoken here before it is known how far the other leg came.
            self._leaving = set(old.begun)
            old.stop(old.begun, reason="leg lost")
            old.end({"type": "bye", "reason": "another leg took over"})

    def detach(self, player: LegPlayer | None) -> bool:
        """The leg is gone; false if another has taken its place. What it never began is spoken by the next one."""
        if player is not self._player:
            return False
        self._player = None
        self._given.clear()
        self._leaving.clear()
        return True

    def reported(self, report: Report) -> None:
        """A report of a leg is kept."""
        if report.type in {EventType.PLAYBACK_FINISHED, EventType.PLAYBACK_CLEARED}:
            self._leaving.discard(report.key)

    @property
    def ready(self) -> bool:
        """Whether a sentence that is given now begins at once."""
        return self._player is not None and self._player.silent and not self._hushed and not self._leaving

    def speak(self, intent: deciding.Speak, since: float | None) -> bool:
        """Give a sentence to the player; false when it has it already, or is to be silent."""
        if self._player is None or self._leaving or intent.key in self._given or intent.turn in self._hushed.values():
            return False
        self._given.add(intent.key)
        voice = self.voice(self.call.tenant, intent.language)
        self._player.speak(intent.key, SpeechRequest(text=intent.text, language=intent.language, voice=voice), since)
        return True

    def stop(self, turn_id: str) -> list[Report]:
        """Stop the speech of a turn. The player reports on what it has; the reports on what it never got are returned."""
        keys = [sentence.key for turn, sentence in self.call.speaking if turn.id == turn_id]
        return self._stop(keys, "interrupted")

    def stop_all(self, reason: str) -> list[Report]:
        """Stop all speech; as `stop`."""
        return self._stop([sentence.key for _, sentence in self.call.speaking], reason)

    def _stop(self, keys: Collection[str], reason: str) -> list[Report]:
        if self._player is not None:
            self._player.stop(keys, reason=reason)
        never = [key for key in keys if key not in self._given]
        self._given.update(never)
        return [Report(EventType.PLAYBACK_CLEARED, key, 0, "", reason=reason) for key in never]

    def hush(self, event: Event) -> None:
        """Fall silent for the caller who begins to speak, before the event is even durable: falling silent is never wrong.

        Until `heard_out`, nothing more of the interrupted turn is spoken.
        """
        turn = deciding.interrupted_by(self.call, event)
        if self._player is not None and event.id not in self.call and turn is not None:
            self._hushed[event.id] = turn.id
            self._player.stop()

    def heard_out(self, event_id: str) -> None:
        """What the beginning of the caller's speech means is decided, or it was not kept."""
        self._hushed.pop(event_id, None)

    def settled(self) -> None:
        """Tell the player when the newest answer is written to its end."""
        turn = next(reversed(self.call.turns.values()), None)
        if self._player is not None and turn is not None and turn.outcome is not None and turn.id != self._through:
            self._through = turn.id
            self._player.through(turn.id)

    def control(self, message: Mapping[str, Json]) -> None:
        """Tell the leg something, if there is one."""
        if self._player is not None:
            self._player.control(message)

    def end(self, message: Mapping[str, Json]) -> None:
        """Tell the leg that it is over; once."""
        if self._player is not None and not self._ended:
            self._ended = True
            self._player.end(message)


def report_payload(report: Report) -> dict[str, Json]:
    """A report of playback as the payload of its event."""
    payload: dict[str, Json] = {"key": report.key, "played_ms": report.played_ms}
    if report.heard is not None:
        payload["heard"] = report.heard
    if report.reason:
        payload["reason"] = report.reason
    if report.latency_ms is not None:
        payload["latency_ms"] = round(report.latency_ms, 3)
    return payload


def order_message(key: str, order: Transfer | HangUp) -> dict[str, Json]:
    """An order as the leg is told it."""
    if isinstance(order, Transfer):
        return {"type": "transfer", "key": key, "target": order.target, "reason": order.reason}
    return {"type": "hang_up", "key": key, "reason": order.reason}
