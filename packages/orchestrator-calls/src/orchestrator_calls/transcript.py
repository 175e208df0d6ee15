"""A call as people and programs read it. Holds what was said: personal data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator_calls.call import Call, SentenceState, Turn
from orchestrator_calls.responder import HangUp, InputKind, Transfer
from orchestrator_kernel.ports import Json

__all__ = ["as_json", "as_text", "turn_as_json"]

_REFUSED: Final = "consent_refused"


def turn_as_json(turn: Turn) -> dict[str, Json]:
    """One turn: what came in, what was said, what of it was heard, and how long the caller waited (milliseconds)."""
    latency = next((each.latency_ms for each in turn.sentences if each.latency_ms is not None), None)
    return {
        "id": turn.id,
        "kind": turn.kind.value,
        "caller": turn.shown,
        "spoken": [sentence.text for sentence in turn.sentences if not sentence.is_rest],
        "heard": turn.heard,
        "interrupted": turn.interrupted,
        "outcome": turn.outcome.value if turn.outcome else None,
        "intent": turn.note.intent if turn.note else None,
        "broken": sorted({sentence.broke for sentence in turn.sentences if sentence.broke}),
        "note": turn.note.detail if turn.note and turn.note.detail else None,
        "command": _command(turn),
        "latency_ms": latency,
    }


def as_json(call: Call) -> dict[str, Json]:
    """The whole call."""
    return {
        "id": call.id,
        "tenant": call.tenant,
        "state": call.state.value,
        "language": call.language,
        "started_at": call.started_at.isoformat() if call.started_at else None,
        "ended_at": call.ended_at.isoformat() if call.ended_at else None,
        "end_reason": call.end_reason,
        "events": call.count,
        "notices": [dict(each) for each in _notices(call)],
        "turns": [turn_as_json(turn) for turn in call.turns.values()],
    }


def as_text(call: Call) -> str:
    """A transcript, one line per utterance; interrupted sentences show what was heard, and a dash."""
    lines = [_line(f"Call {call.id}: {call.state.value}" + (f" ({call.end_reason})" if call.end_reason else ""))]
    for turn in call.turns.values():
        if turn.kind is InputKind.SPEECH:
            lines.append(f"caller  {_line(turn.shown)}")
        elif turn.kind is InputKind.DIGITS:
            lines.append(f"keys    {_line(turn.shown)}")
        elif turn.kind is InputKind.SILENCE:
            lines.append("caller  (silence)")
        for sentence in turn.sentences:
            cut = sentence.heard is not None and sentence.state is SentenceState.CLEARED
            broke = f" ({sentence.broke})" if sentence.broke else ""
            lines.append(_line(f"desk    {sentence.heard} —{broke}" if cut else f"desk    {sentence.text}"))
        if turn.note is not None and turn.note.detail:
            lines.append(_line(f"        [{turn.note.detail}]"))
        if turn.command is not None:
            lines.append(_line(f"        [{_command(turn)}]"))
    told = dict.fromkeys(str(each["kind"]) for each in _notices(call))
    refused = told.pop(_REFUSED, "") is None
    if told:
        lines.append(_line(f"        [told: {', '.join(told)}]"))
    if refused:
        lines.append("        [consent refused]")
    return "\n".join(lines)


def _notices(call: Call) -> list[Mapping[str, Json]]:
    """What the script noted in its memory as told to the caller, or as refused by them: `kind` and `language` of each."""
    noted = call.memory.get("notices")
    found = noted if isinstance(noted, list) else []
    return [each for each in found if isinstance(each, Mapping) and isinstance(each.get("kind"), str)]


def _line(text: str) -> str:
    """One line, whatever was said: a line break in it would look like another utterance."""
    return "".join(char if char.isprintable() else " " for char in text)


def _command(turn: Turn) -> str | None:
    match turn.command:
        case Transfer(target, _):
            return f"transfer to {target}"
        case HangUp(reason):
            return f"hang up: {reason}"
        case None:
            return None
