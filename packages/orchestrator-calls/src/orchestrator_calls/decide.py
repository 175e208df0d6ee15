"""What is to be done for a call, from the call alone.

`decide(call, policy)` is pure. Each intent has a stable key: deciding again gives the same keys until their outcome is an event of the
call, so the runtime carries out each key once. Timers are intents too: the ones that are named run, all others are cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from orchestrator_calls._intents import (
    NOT_CONFIRMED,
    TRANSFER,
    Ask,
    CancelAnswer,
    Command,
    EndCall,
    FailTransfer,
    Fill,
    Intent,
    Policy,
    Run,
    Speak,
    StopSpeaking,
    Timer,
)
from orchestrator_calls.actions import ActionOutcome, ActionStatus
from orchestrator_calls.call import Call, Channel, Turn
from orchestrator_calls.events import TERMINAL, CallState, Event, EventType, text_of
from orchestrator_calls.responder import HangUp, InputKind, Transfer

__all__ = [
    "NOT_CONFIRMED",
    "TRANSFER",
    "Ask",
    "CancelAnswer",
    "Command",
    "EndCall",
    "FailTransfer",
    "Fill",
    "Intent",
    "Policy",
    "Run",
    "Speak",
    "StopSpeaking",
    "Timer",
    "decide",
    "interrupted_by",
]


def decide(call: Call, policy: Policy) -> list[Intent]:
    """Everything that is to be done now, most urgent first; for a call that is over only what the caller had confirmed before."""
    runs = [Run(f"run/{each.key}", each) for each in call.actions if each.outcome is None]
    if call.state in TERMINAL:
        return [*runs]
    timers = (timer for timer in _timers(call, policy) if timer.key not in call.fired)
    return [*_stops(call), *runs, *_turns(call), *_fills(call), *_speech(call), *_commands(call), *_ends(call), *timers]


def interrupted_by(call: Call, event: Event) -> Turn | None:
    """The turn that is interrupted by this beginning of the caller's speech: it is being spoken, or its first word is still to come.

    None when there is none, when the leg speaks for itself, or when the caller began too early: before the input that is being answered,
    by the count of their common source.
    """
    if call.channel is not Channel.MEDIA:
        return None
    speaking = call.speaking
    turn = call.open_turn or (speaking[-1][0] if speaking else None)
    if turn is None:
        return None
    answered = call.input(turn.inputs[-1]) if turn.inputs else None
    if answered is None or answered.source != event.source or answered.sequence is None or event.sequence is None:
        return turn
    return turn if event.sequence > answered.sequence else None


def _stops(call: Call) -> Iterator[Intent]:
    """Speech that nobody is to hear any more: interrupted, overtaken by a later turn, or the caller is not listening."""
    newest = next(reversed(call.turns)) if call.turns else ""
    deaf = call.state in {CallState.ON_HOLD, CallState.TRANSFERRING}
    stopped: set[str] = set()
    for turn, _ in call.speaking:
        if (turn.interrupted or deaf or turn.id != newest) and turn.id not in stopped:
            stopped.add(turn.id)
            yield StopSpeaking(f"stop/{turn.id}", turn.id)


def _turns(call: Call) -> Iterator[Intent]:
    if call.state is not CallState.ACTIVE:
        return
    greeting = f"{call.id}/greeting"
    if greeting not in call.once:
        interrupted = _interrupted(call, call.start)
        yield Ask(key=f"ask/{greeting}", turn=greeting, kind=InputKind.GREETING, interrupted=interrupted)
        return
    waiting = call.waiting_inputs()
    current = call.open_turn
    if current is not None:
        if current.kind is not InputKind.DIGITS and any(event.type is EventType.DTMF for event in waiting):
            yield CancelAnswer(f"cancel/{current.id}", current.id)
        return
    outcome = _next_outcome(call)
    if outcome is not None:
        yield outcome
        return
    if waiting:
        yield from _next_input(call, waiting)
        return
    silence = _silence_key(call)
    if silence in call.fired:
        turn = f"{call.id}/{silence}"
        yield Ask(key=f"ask/{turn}", turn=turn, kind=InputKind.SILENCE, repeats=_silences(call) + 1)


def _next_outcome(call: Call) -> Ask | None:
    """The first outcome that the caller was not told of; not before our last word is out, since it interrupts nothing."""
    if call.speaking and call.channel is Channel.MEDIA:
        return None
    for action in call.actions:
        if action.outcome is not None and (turn := f"{action.key}/outcome") not in call.turns:
            return _tell(turn, action.name, action.outcome)
    for key, reason in call.failed_transfers.items():
        if key in call.commands and (turn := f"{key}/outcome") not in call.once:
            status = ActionStatus.UNCONFIRMED if reason == NOT_CONFIRMED else ActionStatus.REFUSED
            return _tell(turn, TRANSFER, ActionOutcome(status=status, reason=reason))
    return None


def _tell(turn: str, action: str, result: ActionOutcome) -> Ask:
    return Ask(key=f"ask/{turn}", turn=turn, kind=InputKind.OUTCOME, action=action, result=result)


def _interrupted(call: Call, event_id: str) -> bool:
    """Whether the caller goes on speaking already, so that the answer would talk over them; a leg that speaks for itself decides that itself."""
    return call.channel is Channel.MEDIA and call.interrupted_after(event_id)


def _next_input(call: Call, waiting: list[Event]) -> Iterator[Intent]:
    first = waiting[0]
    if first.type is EventType.DTMF:
        digits = _digits(call, waiting)
        if digits is not None:
            yield digits
        return
    confidence = first.payload.get("confidence")
    yield Ask(
        key=f"ask/{first.id}",
        turn=first.id,
        kind=InputKind.SPEECH,
        inputs=(first.id,),
        text=text_of(first.payload, "text"),
        language=text_of(first.payload, "language") or None,
        confidence=float(confidence) if isinstance(confidence, int | float) else None,
        interrupted=_interrupted(call, first.id),
    )


def _digits(call: Call, waiting: list[Event]) -> Ask | None:
    """The keys at the head of the queue as one input; None while more of them are awaited."""
    collect = call.collecting
    taken: list[Event] = []
    complete = collect is None
    for event in waiting:
        if event.type is not EventType.DTMF:
            complete = True
            break
        taken.append(event)
        key = text_of(event.payload, "digit")
        if collect is None or len(taken) >= collect.digits or (collect.terminator and key == collect.terminator):
            complete = True
            break
    if not complete and f"digits/{taken[-1].id}" not in call.fired:
        return None
    keys = [text_of(event.payload, "digit") for event in taken]
    if collect is not None and len(keys) > 1 and keys[-1] == collect.terminator:
        keys.pop()
    last = taken[-1]
    return Ask(
        key=f"ask/{last.id}",
        turn=last.id,
        kind=InputKind.DIGITS,
        inputs=tuple(event.id for event in taken),
        text="".join(keys),
        sensitive=collect is not None and collect.sensitive,
        interrupted=_interrupted(call, last.id),
    )


def _awaited(call: Call) -> Turn | None:
    """The turn in which a caller who can be spoken to waits in silence: for its answer, or for an action."""
    ready = call.channel is Channel.MEDIA and call.media_attached and call.state is CallState.ACTIVE
    if not ready or call.speaking or not call.turns:
        return None
    newest = next(reversed(call.turns.values()))
    if newest.outcome is None:
        return None if newest.interrupted else newest
    return newest if any(each.outcome is None for each in call.actions) else None


def _fills(call: Call) -> Iterator[Fill]:
    turn = _awaited(call)
    if turn is not None and (key := _filler_key(turn)) in call.fired:
        yield Fill(key, turn.id, turn.fillers + 1)


def _filler_key(turn: Turn) -> str:
    return f"filler/{turn.id}/{turn.fillers}"


def _speech(call: Call) -> Iterator[Intent]:
    newest = next(reversed(call.turns)) if call.turns else ""
    if call.state not in {CallState.ACTIVE, CallState.ENDING}:
        return
    for turn, sentence in call.speaking:
        if turn.id == newest and not turn.interrupted:
            yield Speak(sentence.key, turn.id, sentence.text, sentence.language)


def _commands(call: Call) -> Iterator[Intent]:
    """The newest turn's order, once its last word is out. A caller who speaks again takes it back."""
    turn = next(reversed(call.turns.values())) if call.turns else None
    if turn is not None and turn.command is not None and turn.outcome is not None and call.state is CallState.ACTIVE:
        # An answer of no words cannot be cut short.
        taken_back = (turn.interrupted and turn.sentences) or call.waiting_inputs()
        if _spoken(call, turn) and not taken_back:
            yield from _order(call, f"{_verb(turn.command)}/{turn.id}", turn.command)
    if "duration" in call.fired:
        yield from _order(call, "hang_up/duration", HangUp("maximum duration"))


def _spoken(call: Call, turn: Turn) -> bool:
    """Whether the last word is out, and there is a leg that can be told what to do next."""
    if call.channel is Channel.ANSWER:
        return True
    return call.media_attached and all(sentence.over for sentence in turn.sentences)


def _order(call: Call, key: str, order: Transfer | HangUp) -> Iterator[Intent]:
    if key not in call.commands:
        yield Command(key, order)


def _verb(order: Transfer | HangUp) -> str:
    return "transfer" if isinstance(order, Transfer) else "hang_up"


def _ends(call: Call) -> Iterator[Intent]:
    for timer, reason in (("idle", "abandoned"), ("hang_up_grace", "hung up")):
        if timer in call.fired:
            yield EndCall(f"end/{timer}", reason)
    for key in call.commands:
        # Another transfer, which somebody else asked for, may be under way after ours has failed.
        late = f"limit/{key}" in call.fired and key not in call.failed_transfers
        if key.startswith("transfer/") and late and call.state is CallState.TRANSFERRING:
            yield FailTransfer(f"fail/{key}", key)


def _timers(call: Call, policy: Policy) -> Iterator[Timer]:
    if call.last_event is not None:
        yield Timer("idle", call.last_event + timedelta(seconds=policy.idle))
    if call.started_at is not None and call.state is not CallState.ON_HOLD:
        yield Timer("duration", call.started_at + timedelta(seconds=policy.max_duration) + call.held)
    for key, sent_at in call.commands.items():
        if key.startswith("hang_up/"):
            yield Timer("hang_up_grace", sent_at + timedelta(seconds=policy.hang_up_grace))
        elif call.state is CallState.TRANSFERRING:
            yield Timer(f"limit/{key}", sent_at + timedelta(seconds=policy.transfer_limit))
    turn = _awaited(call)
    if turn is not None:
        yield Timer(_filler_key(turn), _silent_since(call, turn) + timedelta(seconds=policy.patience))
    yield from _waits(call, policy)


def _silent_since(call: Call, turn: Turn) -> datetime:
    """When the caller who waits for an answer was last heard, or heard something: what came before the turn, a recognizer's work, is waited for too."""
    said = turn.kind is InputKind.SPEECH
    known = [at for at in (None if said else turn.opened_at, call.quiet_since, call.last_activity) if at is not None]
    return max(known, default=turn.opened_at)


def _waits(call: Call, policy: Policy) -> Iterator[Timer]:
    """The timers of a caller who is awaited."""
    if call.state is not CallState.ACTIVE or call.open_turn is not None:
        return
    waiting = call.waiting_inputs()
    if waiting:
        if call.collecting is not None and waiting[-1].type is EventType.DTMF:
            last = waiting[-1]
            yield Timer(f"digits/{last.id}", last.received_at + timedelta(seconds=call.collecting.timeout))
        return
    if any(each.outcome is None for each in call.actions):
        return
    if call.channel is Channel.MEDIA and call.media_attached and not call.speaking and call.turns:
        quiet = [at for at in (call.last_activity, call.quiet_since) if at is not None]
        if quiet:
            yield Timer(_silence_key(call), max(quiet) + timedelta(seconds=policy.silence))


def _silence_key(call: Call) -> str:
    return f"silence/{call.turn_count}"


def _silences(call: Call) -> int:
    """How many silences in a row came last."""
    count = 0
    for turn in reversed(call.turns.values()):
        if turn.kind is not InputKind.SILENCE:
            break
        count += 1
    return count
