"""The orchestrator's own events, made of what was decided, written, played and done; nothing is kept here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator_calls import decide as deciding
from orchestrator_calls._answering import Written
from orchestrator_calls._asking import outcome_payload
from orchestrator_calls._continuing import BROKEN_OFF, broken_off, goes_on, rest_of, voice_broke
from orchestrator_calls._speaking import report_payload
from orchestrator_calls._steps import to_json
from orchestrator_calls.actions import ActionOutcome
from orchestrator_calls.call import Action, Call, Channel, Sentence, Turn, TurnOutcome
from orchestrator_calls.events import Event, EventType
from orchestrator_calls.phrases import Phrase, PhraseFor
from orchestrator_calls.playback import Report
from orchestrator_calls.responder import HangUp, Remember, Say, Transfer
from orchestrator_kernel.ports import Json

__all__ = ["Deeds"]


@dataclass(frozen=True, slots=True)
class Deeds:
    """Makes the events of one call.

    Attributes:
        own: Makes an event of the orchestrator of its type, key and payload.
        phrase: The words that the runtime says itself.
    """

    call: Call
    own: Callable[[EventType, str, Mapping[str, Json]], Event]
    phrase: PhraseFor

    # --- turns --------------------------------------------------------------------------------------------------------------

    def interruption(self, turn: Turn, by: str) -> Event:
        """The answer of `turn` is cut short by the event `by`."""
        return self.own(EventType.TURN_INTERRUPTED, turn.id, {"turn": turn.id, "by": by})

    def written(self, written: Written, *, begins: bool) -> list[Event]:
        """What the responder wrote; `begins` when it will sound at once, so that the intent to speak shares the commit of the words."""
        turn, events = self.call.turns[written.turn], list[Event]()
        if written.steps:
            payload: dict[str, Json] = {"turn": written.turn, "steps": [to_json(step) for step in written.steps]}
            events.append(self.own(EventType.TURN_ANSWERED, f"{written.turn}/{written.first}", payload))
            if begins and any(isinstance(step, Say) for step in written.steps) and goes_on(self.call, turn):
                events.append(self.intent(f"{turn.id}/{turn.numbered}"))
        if written.outcome is TurnOutcome.FAILED and not _says(turn, written):
            events.append(self.filler(turn, Phrase.FAILED, 1))
        if written.outcome is not None:
            events.append(self.closing(written.turn, written.outcome, written.reason))
        return events

    def closing(self, turn: str, outcome: TurnOutcome, reason: str = "") -> Event:
        """The answer of `turn` is at its end."""
        payload: dict[str, Json] = {"turn": turn, "outcome": outcome.value, "reason": reason}
        return self.own(EventType.TURN_CLOSED, turn, self._handed_over(payload))

    def filler(self, turn: Turn, phrase: Phrase, count: int) -> Event:
        """A word of the runtime's own in the answer of `turn`."""
        language = self.call.language
        text = self.phrase(self.call.tenant, language, phrase, count)
        payload: dict[str, Json] = {"turn": turn.id, "text": text, "language": language}
        return self.own(EventType.TURN_FILLED, f"{turn.id}/{turn.fillers}/{phrase.value}", self._handed_over(payload))

    def _handed_over(self, payload: dict[str, Json]) -> dict[str, Json]:
        return {**payload, "handed_over": True} if self.call.channel is Channel.ANSWER else payload

    def ordered(self, intent: deciding.Command) -> list[Event]:
        """A leg is about to be told to transfer or to hang up."""
        key, order = intent.key, intent.order
        events = [self.own(EventType.COMMAND_SENT, key, {"key": key})]
        if isinstance(order, Transfer):
            payload: dict[str, Json] = {"key": key, "target": order.target, "reason": order.reason}
            events.append(self.own(EventType.TRANSFER_REQUESTED, key, payload))
        return events

    # --- actions ------------------------------------------------------------------------------------------------------------

    def acting(self, action: Action) -> Event:
        """An action is about to be carried out."""
        return self.own(EventType.ACTION_STARTED, action.key, _named(action))

    def acted(self, action: Action, outcome: ActionOutcome) -> Event:
        """What became of it."""
        return self.own(EventType.ACTION_FINISHED, action.key, {**_named(action), **outcome_payload(outcome)})

    # --- speech -------------------------------------------------------------------------------------------------------------

    def attached(self) -> Event:
        """A media leg is there."""
        payload: dict[str, Json] = {"channel": Channel.MEDIA.value}
        return self.own(EventType.LEG_ATTACHED, f"media/{self.call.count}", payload)

    def detached(self) -> Event:
        """It is gone."""
        return self.own(EventType.LEG_DETACHED, f"media/{self.call.count}", {})

    def intent(self, key: str) -> Event:
        """A sentence is about to be spoken."""
        return self.own(EventType.SPEECH_INTENDED, key, {"key": key})

    def report(self, report: Report) -> Event:
        """What a leg reported."""
        return self.own(report.type, f"{report.key}/{report.played_ms}", report_payload(report))

    def reported(self, report: Report) -> list[Event]:
        """The event of a report; with it, what is to be said in the place of speech that broke off."""
        events, sentence = [self.report(report)], self.call.sentence(report.key)
        if sentence is None or report.type is not EventType.PLAYBACK_CLEARED:
            return events
        heard = report.heard or ""
        if report.reason not in BROKEN_OFF and not voice_broke(sentence, report.reason, heard, report.played_ms):
            return events
        turn = self.call.turns[report.key.rpartition("/")[0]]
        if sentence.over or sentence.filler or not goes_on(self.call, turn):
            return events
        return [*events, *self._continuation(turn, sentence, heard)]

    def _continuation(self, turn: Turn, sentence: Sentence, heard: str) -> list[Event]:
        rest = rest_of(sentence.text, heard)
        lost = rest is None
        if rest is None:
            rest = self.phrase(self.call.tenant, sentence.language, Phrase.LOST, 1)
            if any(each.filler and each.text == rest for each in turn.sentences):
                return []  # once in an answer is enough
        payload: dict[str, Json] = {"key": sentence.key, "text": rest, "lost": lost}
        return [self.own(EventType.SPEECH_CONTINUED, sentence.key, payload)] if rest else []

    def loose_ends(self) -> list[Event]:
        """What the end of the last process left: a leg that is gone with it, sentences cut off, an answer that was at its end."""
        events: list[Event] = []
        for _, sentence in broken_off(self.call):
            heard = sentence.heard or ""
            cut = Report(EventType.PLAYBACK_CLEARED, sentence.key, sentence.played_ms, heard, "restart")
            events += self.reported(cut)
        if self.call.media_attached:
            events.append(self.detached())
        turn = self.call.open_turn
        if turn is not None and any(isinstance(step, Remember) for step in turn.steps):
            # The last thing an answer has is there: it was written to its end.
            events.append(self.closing(turn.id, TurnOutcome.ANSWERED))
        return events


def _named(action: Action) -> dict[str, Json]:
    return {"key": action.key, "turn": action.turn, "name": action.name}


def _says(turn: Turn, written: Written) -> bool:
    """Whether the answer has a word of the responder, or an order."""
    steps = [*turn.steps, *written.steps]
    return turn.command is not None or any(isinstance(step, Say | Transfer | HangUp) for step in steps)
