"""The orchestrator's own events made shortly, and generated journals of them and of events from outside."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from calls_support import CALL, event
from hypothesis import strategies as st

from orchestrator_calls._steps import to_json
from orchestrator_calls.call import Call
from orchestrator_calls.events import ORCHESTRATOR, Event
from orchestrator_calls.responder import Collect, HangUp, Note, Remember, Say
from orchestrator_calls.transcript import as_json


def own(kind: str, key: str, at: float = 0.0, /, **payload: Any) -> Event:
    return event(kind, at, id=f"{CALL}/{kind}/{key}", source=ORCHESTRATOR, **payload)


def opened(turn: str, kind: str = "speech", inputs: tuple[str, ...] = (), at: float = 0.0, **payload: Any) -> Event:
    return own("turn_opened", turn, at, turn=turn, kind=kind, inputs=list(inputs), **payload)


def answered(turn: str, *steps: Any, first: int = 0) -> Event:
    return own("turn_answered", f"{turn}/{first}", turn=turn, steps=[to_json(each) for each in steps])


def closed(turn: str, outcome: str = "answered", *, handed_over: bool = False) -> Event:
    return own("turn_closed", turn, turn=turn, outcome=outcome, handed_over=handed_over)


KINDS = [
    "agent_ready",
    "call_started",
    "participant_left",
    "transcription",
    "dtmf",
    "speech_started",
    "playback_started",
    "playback_progress",
    "playback_finished",
    "playback_cleared",
    "hold",
    "resume",
    "transfer_requested",
    "transfer_completed",
    "transfer_failed",
    "call_ended",
    "error",
    "intent_detected",
]


@st.composite
def outside(draw: st.DrawFn) -> Event:
    source = draw(st.sampled_from(["agent", "livekit"]))
    payload: dict[str, Any] = {"text": "x", "digit": "1"}
    payload["key"] = draw(st.sampled_from(["t1/0", "t1/1", "t2/0", "transfer/t1", ""]))
    payload["final"] = draw(st.booleans())
    payload["fatal"] = draw(st.sampled_from([False, False, False, True]))
    payload["heard"] = draw(st.sampled_from([None, "", "good", "good day", "ever so"]))
    payload["played_ms"] = draw(st.integers(0, 3))
    payload["reason"] = draw(st.sampled_from(["", "interrupted", "leg lost"]))
    payload["caller"] = draw(st.sampled_from(["", "+1", "+2"]))
    return event(
        draw(st.sampled_from(KINDS)),
        draw(st.integers(0, 9)),
        id=f"{source}{draw(st.integers(0, 40))}",
        source=source,
        sequence=draw(st.integers(1, 9)) if source == "agent" else None,
        received=draw(st.integers(0, 9)),
        **payload,
    )


OURS = [
    own("leg_attached", "media/0", channel="media"),
    opened("t1", inputs=("agent1",)),
    answered("t1", Note("x", understood=True), Say("good day to you", "en-US"), Collect(digits=2)),
    own("timer_fired", "silence/1", timer="silence/1"),
    answered("t1", Say("and good night", "de-DE"), Remember({"a": 1}), first=3),
    closed("t1"),
    own("turn_interrupted", "t1", turn="t1"),
    opened("t2", "digits", inputs=("agent2", "livekit3"), at=4, sensitive=True, text="12"),
    answered("t2", Say("bye", "en-US"), HangUp("done")),
    closed("t2", handed_over=True),
    own("command_sent", "hang_up/t2", key="hang_up/t2"),
    own("leg_detached", "media/9"),
]


@st.composite
def journals(draw: st.DrawFn) -> list[Event]:
    """Events from outside, and some of our own in the order in which they can happen; each id once."""
    ours = OURS[: draw(st.integers(0, len(OURS)))]
    others = draw(st.lists(outside(), max_size=12, unique_by=lambda each: each.id))
    merged: list[Event] = list(ours)
    for each in others:
        merged.insert(draw(st.integers(0, len(merged))), each)
    return [replace(each, position=place) for place, each in enumerate(merged, 1)]


def told(call: Call) -> dict[str, Any]:
    """All that can be seen of a call."""
    return {
        "json": as_json(call),
        "walk": asdict(call._walk),
        "waiting": [each.id for each in call.waiting_inputs()],
        "turns": [asdict(turn) for turn in call.turns.values()],
        "rest": [
            call.channel,
            call.memory,
            call.collecting,
            call.media_attached,
            call.fired,
            call.commands,
            call.last_activity,
            call.last_event,
            call.quiet_since,
        ],
    }
