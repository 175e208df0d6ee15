"""A call as bytes, so that a process that resumes it need not read the journal from its beginning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from orchestrator_calls._asking import outcome_payload
from orchestrator_calls._steps import from_json, to_json
from orchestrator_calls._turns import Action, Sentence, SentenceState, Turn, TurnOutcome
from orchestrator_calls._walk import Walk
from orchestrator_calls.actions import ActionOutcome, ActionStatus
from orchestrator_calls.call import Call
from orchestrator_calls.events import CallState, Event, EventType
from orchestrator_calls.journal import Journal
from orchestrator_calls.responder import Collect, HangUp, InputKind, Note, Transfer

__all__ = ["VERSION", "Counts", "dump", "restore", "taken_up"]

VERSION: Final = 2
"""Of the format; a snapshot of another version is not read, and the journal is."""

Counts = Mapping[str, tuple[int, Sequence[int]]]
Data = dict[str, Any]

_INSTANTS: Final = ("last_activity", "last_event", "quiet_since")
_PLAIN: Final = ("media_attached", "count", "position", "turn_count")


def dump(call: Call, counts: Counts) -> bytes:
    """The call, and how far its sources have counted."""
    data: Data = {
        "version": VERSION,
        "call": call.id,
        "tenant": call.tenant,
        **{name: getattr(call, name) for name in _PLAIN},
        **{name: _instant(getattr(call, name)) for name in _INSTANTS},
        **_walked(call),
        "turns": [_turn(each) for each in call.turns.values()],
        "memory": call.memory,
        "collecting": to_json(call.collecting) if call.collecting else None,
        "fired": sorted(call.fired),
        "once": sorted(call.once),
        "commands": {key: at.isoformat() for key, at in call.commands.items()},
        "counts": counts,
    }
    return json.dumps(data, separators=(",", ":")).encode()


def restore(data: bytes, call: Call) -> Counts | None:
    """Make a fresh `call` what it was; how far the sources had counted. None, and nothing changed, for another version."""
    told: Data = json.loads(data)
    if told["version"] != VERSION:
        return None
    for name in _PLAIN:
        setattr(call, name, told[name])
    for name in _INSTANTS:
        setattr(call, name, _at(told[name]))
    for each in told["turns"]:
        _take_turn(call, each)
    call.memory = told["memory"]
    call.collecting = cast("Collect", from_json(told["collecting"])) if told["collecting"] else None
    call.fired, call.once = set(told["fired"]), set(told["once"])
    call.commands = {key: datetime.fromisoformat(at) for key, at in told["commands"].items()}
    _take_walked(call, told)
    return {source: (following, ahead) for source, (following, ahead) in told["counts"].items()}


async def taken_up(journal: Journal, call: Call) -> tuple[int, Counts]:
    """Make a fresh `call` what its last snapshot holds: up to which place of the journal, and how far its sources had counted."""
    snapshot = await journal.snapshot(call.id)
    if snapshot is None:
        return 0, {}
    counts = restore(snapshot.data, call)
    return (0, {}) if counts is None else (snapshot.position, counts)


# --- what only a call and its snapshot know of each other ----------------------------------------------------------------------
# ruff: noqa: SLF001


def _walked(call: Call) -> Data:
    walked = call._walked  # pyright: ignore[reportPrivateUsage]
    log = walked.log
    return {
        "base": _walk(walked.base),
        "log": [_event(log.at(index)) for index in range(len(log))],
        "floors": {source: [sequence, at.isoformat()] for source, (sequence, at) in log.floors.items()},
        "own": call._own,  # pyright: ignore[reportPrivateUsage]
        "waiting": list(walked.waiting),
        "taken": sorted(walked.taken),
        "opened": walked.opened,
        "reports": [_event(each) for some in call._pending_reports.values() for each in some],  # pyright: ignore[reportPrivateUsage]
        "has_media": call._has_media,  # pyright: ignore[reportPrivateUsage]
    }


def _take_walked(call: Call, told: Data) -> None:
    walked = call._walked  # pyright: ignore[reportPrivateUsage]
    log, waiting = walked.log, set(told["waiting"])
    log.floors = {source: (sequence, datetime.fromisoformat(at)) for source, (sequence, at) in told["floors"].items()}
    events = [_as_event(each, call) for each in told["log"]]
    for event in events:
        log.insert(event)
    walked.base = _as_walk(told["base"])
    walked.rewalk(0)
    walked.waiting = {event.id: event for event in events if event.id in waiting}
    walked.taken, walked.opened = set(told["taken"]), told["opened"]
    call._own = told["own"]  # pyright: ignore[reportPrivateUsage]
    call._has_media = told["has_media"]  # pyright: ignore[reportPrivateUsage]
    for each in told["reports"]:
        event = _as_event(each, call)
        call._pending_reports.setdefault(str(event.payload["key"]), []).append(event)  # pyright: ignore[reportPrivateUsage]


def _take_turn(call: Call, told: Data) -> None:
    turn = _as_turn(told)
    call.turns[turn.id] = turn
    call._acts.extend(turn.actions)  # pyright: ignore[reportPrivateUsage]
    for sentence in turn.sentences:
        call._sentences[sentence.key] = sentence  # pyright: ignore[reportPrivateUsage]


# --- parts -------------------------------------------------------------------------------------------------------------------


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _event(event: Event) -> Data:
    return {
        "id": event.id,
        "type": event.type.value,
        "source": event.source,
        "sequence": event.sequence,
        "occurred_at": event.occurred_at.isoformat(),
        "received_at": event.received_at.isoformat(),
        "payload": event.payload,
        "position": event.position,
    }


def _as_event(told: Data, call: Call) -> Event:
    return Event(
        id=told["id"],
        call_id=call.id,
        tenant=call.tenant,
        type=EventType(told["type"]),
        source=told["source"],
        sequence=told["sequence"],
        occurred_at=datetime.fromisoformat(told["occurred_at"]),
        received_at=datetime.fromisoformat(told["received_at"]),
        payload=told["payload"],
        position=told["position"],
    )


_WALK_TEXTS: Final = ("started_by", "language", "caller", "dialed", "channel", "presumed_channel", "end_reason")
_WALK_INSTANTS: Final = ("started_at", "ended_at", "held_since")


def _walk(walk: Walk) -> Data:
    return {
        "state": walk.state.value,
        **{name: getattr(walk, name) for name in _WALK_TEXTS},
        **{name: _instant(getattr(walk, name)) for name in _WALK_INSTANTS},
        "held": walk.held.total_seconds(),
        "settled": sorted(walk.settled),
        "failures": walk.failures,
        "recorded_after_end": walk.recorded_after_end,
    }


def _as_walk(told: Data) -> Walk:
    instants: Data = {name: _at(told[name]) for name in _WALK_INSTANTS}
    return Walk(
        state=CallState(told["state"]),
        **{name: told[name] for name in _WALK_TEXTS},
        **instants,
        held=timedelta(seconds=told["held"]),
        settled=frozenset(told["settled"]),
        failures=told["failures"],
        recorded_after_end=told["recorded_after_end"],
    )


_TURN_PLAIN: Final = (
    *("id", "text", "language", "confidence", "repeats", "sensitive"),
    *("action", "numbered", "reason", "interrupted", "memory"),
)


def _turn(turn: Turn) -> Data:
    return {
        **{name: getattr(turn, name) for name in _TURN_PLAIN},
        "kind": turn.kind.value,
        "opened_at": turn.opened_at.isoformat(),
        "closed_at": _instant(turn.closed_at),
        "inputs": turn.inputs,
        "result": outcome_payload(turn.result) if turn.result else None,
        "steps": [to_json(each) for each in turn.steps],
        "note": to_json(turn.note) if turn.note else None,
        "command": to_json(turn.command) if turn.command else None,
        "outcome": turn.outcome.value if turn.outcome else None,
        "sentences": [_sentence(each) for each in turn.sentences],
        "actions": [_action(each) for each in turn.actions],
    }


def _as_turn(told: Data) -> Turn:
    return Turn(
        **{name: told[name] for name in _TURN_PLAIN},
        kind=InputKind(told["kind"]),
        opened_at=datetime.fromisoformat(told["opened_at"]),
        closed_at=_at(told["closed_at"]),
        inputs=tuple(told["inputs"]),
        result=_as_outcome(told["result"]),
        steps=[from_json(each) for each in told["steps"]],
        note=cast("Note", from_json(told["note"])) if told["note"] else None,
        command=cast("Transfer | HangUp", from_json(told["command"])) if told["command"] else None,
        outcome=TurnOutcome(told["outcome"]) if told["outcome"] else None,
        sentences=[_as_sentence(each) for each in told["sentences"]],
        actions=[_as_action(each) for each in told["actions"]],
    )


def _sentence(sentence: Sentence) -> Data:
    names = ("key", "text", "language", "heard", "played_ms", "latency_ms", "filler", "broke")
    return {**{name: getattr(sentence, name) for name in names}, "state": sentence.state.value}


def _as_sentence(told: Data) -> Sentence:
    values: Data = {**told, "state": SentenceState(told["state"])}
    return Sentence(**values)


def _action(action: Action) -> Data:
    return {
        **{name: getattr(action, name) for name in ("key", "turn", "name", "arguments", "language")},
        "started_at": _instant(action.started_at),
        "outcome": outcome_payload(action.outcome) if action.outcome else None,
    }


def _as_action(told: Data) -> Action:
    values: Data = {**told, "started_at": _at(told["started_at"]), "outcome": _as_outcome(told["outcome"])}
    return Action(**values)


def _as_outcome(told: Data | None) -> ActionOutcome | None:
    if told is None:
        return None
    return ActionOutcome(status=ActionStatus(told["status"]), reason=told["reason"], data=told["data"])
