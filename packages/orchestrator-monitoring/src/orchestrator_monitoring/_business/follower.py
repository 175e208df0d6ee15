"""From the events of calls to what can be counted about them. Pure: no clock, no I/O.

It follows the vocabulary in which the orchestrator keeps its calls; `KNOWN_EVENTS` lists every type that it has thought of, so that a test can
tell when a new one is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol, cast

from orchestrator_monitoring._business.facts import (
    ActionDone,
    BargedIn,
    CallAnswered,
    CallEnded,
    CallFact,
    CallStarted,
    GoalReached,
    HandedOff,
    HandoffOutcome,
    KeyPressed,
    Misunderstood,
    Rated,
    SpeechUsed,
    StageTimed,
    TurnClosed,
    TurnHeard,
    Understood,
    WordsSpoken,
)
from orchestrator_monitoring._business.reading import number_of, ratio_of, seconds_between, steps_of, text_of
from orchestrator_monitoring._business.story import SpokenSentence, Story, TurnStory

__all__ = ["KNOWN_EVENTS", "CallEvent", "CallFollower", "CallMove"]

_NOT_COUNTED: Final = frozenset(
    {
        "agent_ready",
        "call_started",
        "call_ended",
        "error",
        "participant_joined",
        "participant_left",
        "speech_started",
        "playback_progress",
        "hold",
        "resume",
        "intent_detected",
        "response_generated",
        "tts_completed",
        "leg_attached",
        "leg_detached",
        "timer_fired",
    }
)
"""What a change of state, a turn or a report of playback tells as well."""

_TERMINAL: Final = frozenset({"ended", "failed"})
_CALLERS: Final = frozenset({"speech", "digits"})
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LOWEST: Final = 1.0
_HIGHEST: Final = 5.0


class CallEvent(Protocol):
    """An event of a call, as the orchestrator's journal keeps it."""

    @property
    def call_id(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def payload(self) -> Mapping[str, object]: ...


class CallMove(Protocol):
    """A call moved from one state to another."""

    @property
    def call_id(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def before(self) -> str: ...
    @property
    def after(self) -> str: ...
    @property
    def reason(self) -> str: ...


class CallFollower:
    """Follows all calls of a process."""

    def __init__(self) -> None:
        self._stories: dict[str, Story] = {}

    def __len__(self) -> int:
        return len(self._stories)

    def keep_only(self, running: Collection[str]) -> None:
        """Forget all calls but these: the others have left this process, whatever way."""
        for call_id in self._stories.keys() - running:
            del self._stories[call_id]

    def happened(self, event: CallEvent) -> Iterator[CallFact]:
        """What this event means."""
        story = self._stories.get(event.call_id)
        if story is None:
            channel = event.source.partition(":")[0]
            story = self._stories[event.call_id] = Story(event.tenant, channel, event.received_at)
        story.last = event.received_at
        told = _TOLD.get(event.type)
        if told is not None:
            yield from told(story, event)

    def moved(self, move: CallMove) -> Iterator[CallFact]:
        """What this change of a call's state means."""
        story = self._stories.get(move.call_id)
        if move.before == "initializing":
            yield CallStarted(move.tenant, "" if story is None else story.channel)
            if story is not None:
                story.whole = True
        if move.after == "active" and move.before in {"initializing", "connecting"}:
            yield CallAnswered(move.tenant)
            if story is not None:
                story.answered_at = story.last
        if move.after in _TERMINAL:
            yield from self._over(move)

    def _over(self, move: CallMove) -> Iterator[CallFact]:
        story = self._stories.pop(move.call_id, None)
        if story is None:
            # Nothing is known but where it stood and how it ended.
            story = Story(move.tenant, "", _NEVER)
        yield from _heard(story, story.turns)
        seconds = None if story.answered_at is None else max(0.0, (story.last - story.answered_at).total_seconds())
        outcome, stage = story.outcome(move.before, move.after), story.stage(move.before)
        yield CallEnded(move.tenant, outcome, stage, move.reason, seconds, story.converted)


# --- turns ----------------------------------------------------------------------------------------------------------------


def _opened(story: Story, event: CallEvent) -> Iterator[CallFact]:
    # Of the turn before, reports may still come; of those further back none will.
    past = list(story.turns)[:-1]
    yield from _heard(story, past)
    for turn in past:
        del story.turns[turn]
    kind = text_of(event.payload, "kind")
    story.turns[text_of(event.payload, "turn")] = TurnStory(kind, event.received_at, after_handoff=story.handed_back)
    if kind == "silence":
        yield Misunderstood(story.tenant, "silence")


def _answered(story: Story, event: CallEvent) -> Iterator[CallFact]:
    turn = story.turns.get(text_of(event.payload, "turn"))
    for step in steps_of(event.payload):
        if step.get("step") == "note":
            yield from _noted(story, step)
        elif step.get("step") == "say" and turn is not None:
            if not turn.written:
                turn.written = True
                yield StageTimed("answer", seconds_between(turn.opened_at, event.received_at))
            _say(turn, text_of(event.payload, "turn"), str(step.get("text", "")))


def _noted(story: Story, note: Mapping[str, object]) -> Iterator[CallFact]:
    if note.get("understood") is not True:
        yield Misunderstood(story.tenant, "not_understood")
    elif intent := str(note.get("intent") or ""):
        yield Understood(story.tenant, intent, ratio_of(note.get("confidence")))


def _filled(story: Story, event: CallEvent) -> Iterator[CallFact]:
    turn = story.turns.get(text_of(event.payload, "turn"))
    if turn is not None:
        _say(turn, text_of(event.payload, "turn"), text_of(event.payload, "text"))
    yield from ()


def _say(turn: TurnStory, name: str, text: str) -> None:
    turn.sentences[f"{name}/{turn.numbered}"] = SpokenSentence(len(text.split()), len(text))
    turn.numbered += 1


def _closed(story: Story, event: CallEvent) -> Iterator[CallFact]:
    turn, outcome = story.turns.get(text_of(event.payload, "turn")), text_of(event.payload, "outcome")
    if turn is not None:
        turn.written = True
        if turn.kind in _CALLERS and outcome == "answered":
            story.served = True
            story.handed_back &= not turn.after_handoff
    yield TurnClosed(story.tenant, outcome)


def _interrupted(story: Story, _event: CallEvent) -> Iterator[CallFact]:
    yield BargedIn(story.tenant)


# --- speech ---------------------------------------------------------------------------------------------------------------


def _sentence(story: Story, event: CallEvent) -> SpokenSentence | None:
    key = text_of(event.payload, "key")
    turn = story.turns.get(key.rpartition("/")[0])
    return None if turn is None else turn.sentences.get(key)


def _intended(story: Story, event: CallEvent) -> Iterator[CallFact]:
    sentence = _sentence(story, event)
    if sentence is not None and sentence.intended_at is None:
        sentence.intended_at = event.received_at
        yield SpeechUsed(story.tenant, sentence.characters)


def _continued(story: Story, event: CallEvent) -> Iterator[CallFact]:
    sentence, key, text = _sentence(story, event), text_of(event.payload, "key"), text_of(event.payload, "text")
    if sentence is not None:
        # What is said again counts once: as the rest, not as the part of the first that was lost.
        sentence.words = sentence.heard or 0
        turn = story.turns[key.rpartition("/")[0]]
        turn.sentences[f"{key}+"] = SpokenSentence(len(text.split()), len(text))
    yield from ()


def _playing(story: Story, event: CallEvent) -> Iterator[CallFact]:
    sentence = _sentence(story, event)
    if sentence is not None and not sentence.started:
        sentence.started = True
        first = text_of(event.payload, "key").endswith("/0")
        if first and sentence.intended_at is not None:
            yield StageTimed("voice", seconds_between(sentence.intended_at, event.received_at))


def _played(story: Story, event: CallEvent) -> Iterator[CallFact]:
    sentence = _sentence(story, event)
    if sentence is not None:
        sentence.heard = sentence.words
    yield from ()


def _cleared(story: Story, event: CallEvent) -> Iterator[CallFact]:
    sentence = _sentence(story, event)
    if sentence is not None:
        heard = len(text_of(event.payload, "heard").split())
        sentence.heard = min(sentence.words, max(heard, sentence.heard or 0))
    yield from ()


def _heard(story: Story, turns: Collection[str]) -> Iterator[CallFact]:
    for name in turns:
        told = [each for each in story.turns[name].sentences.values() if each.heard is not None]
        words, heard = sum(each.words for each in told), sum(each.heard or 0 for each in told)
        if words:
            yield WordsSpoken(story.tenant, words, heard)
            yield TurnHeard(heard / words)


# --- keys, orders, actions ------------------------------------------------------------------------------------------------


def _recognized(_story: Story, event: CallEvent) -> Iterator[CallFact]:
    """Of a leg that hears the caller itself: from the last word to what was understood."""
    took = number_of(event.payload.get("recognition_ms"))
    if took is not None and took >= 0 and event.payload.get("final") is True:
        yield StageTimed("recognition", took / 1000)


def _pressed(_story: Story, event: CallEvent) -> Iterator[CallFact]:
    key = text_of(event.payload, "digit")
    if key:
        yield KeyPressed("star" if key == "*" else "hash" if key == "#" else "digit")


def _ordered(story: Story, event: CallEvent) -> Iterator[CallFact]:
    story.hung_up |= text_of(event.payload, "key").startswith("hang_up/")
    yield from ()


def _transfer_requested(story: Story, event: CallEvent) -> Iterator[CallFact]:
    yield from _handed(story, event, "requested")


def _transfer_completed(story: Story, event: CallEvent) -> Iterator[CallFact]:
    story.transferred = True
    yield from _handed(story, event, "completed")


def _transfer_failed(story: Story, event: CallEvent) -> Iterator[CallFact]:
    story.handed_back = True
    yield from _handed(story, event, "failed")


def _handed(story: Story, event: CallEvent, outcome: HandoffOutcome) -> Iterator[CallFact]:
    """Each once: our own limit and a provider may both tell that nobody took over."""
    told = (text_of(event.payload, "key"), outcome)
    if told not in story.handoffs:
        story.handoffs.add(told)
        yield HandedOff(story.tenant, outcome)


def _acting(story: Story, event: CallEvent) -> Iterator[CallFact]:
    story.actions.setdefault(text_of(event.payload, "key"), event.received_at)
    yield from ()


def _acted(story: Story, event: CallEvent) -> Iterator[CallFact]:
    began, status = story.actions.pop(text_of(event.payload, "key"), None), text_of(event.payload, "status")
    seconds = None if began is None else seconds_between(began, event.received_at)
    yield ActionDone(story.tenant, text_of(event.payload, "name"), status, seconds)
    data = event.payload.get("data")
    if status == "done" and isinstance(data, Mapping):
        yield from _brought(story, cast("Mapping[str, object]", data))


def _brought(story: Story, data: Mapping[str, object]) -> Iterator[CallFact]:
    """What an action's answer says it was good for: `goal` with `value` and `currency`, and `satisfaction`."""
    goal, value, currency = data.get("goal"), number_of(data.get("value")), data.get("currency")
    if isinstance(goal, str) and goal:
        known = isinstance(currency, str) and _CURRENCY.fullmatch(currency) is not None
        worth = value if known and value is not None and value > 0 else 0.0
        story.converted = True
        yield GoalReached(story.tenant, goal, worth, str(currency) if worth else "")
    score = number_of(data.get("satisfaction"))
    if score is not None and _LOWEST <= score <= _HIGHEST:
        yield Rated(story.tenant, score)


_TOLD: Final[Mapping[str, Callable[[Story, CallEvent], Iterator[CallFact]]]] = {
    "transcription": _recognized,
    "dtmf": _pressed,
    "turn_opened": _opened,
    "turn_answered": _answered,
    "turn_filled": _filled,
    "turn_closed": _closed,
    "turn_interrupted": _interrupted,
    "speech_intended": _intended,
    "speech_continued": _continued,
    "playback_started": _playing,
    "playback_finished": _played,
    "playback_cleared": _cleared,
    "transfer_requested": _transfer_requested,
    "transfer_completed": _transfer_completed,
    "transfer_failed": _transfer_failed,
    "command_sent": _ordered,
    "action_started": _acting,
    "action_finished": _acted,
}

KNOWN_EVENTS: Final = frozenset(_TOLD) | _NOT_COUNTED
"""Every type of event that was thought of."""
