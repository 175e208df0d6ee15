"""Generated logs of plausible calls, and their delivery in order and in disorder through the real runtime on virtual time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from calls_support import CALL, TENANT, Echo, Leg, Metronome
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from orchestrator_calls.call import Call, Sentence, Turn, fold
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import ORCHESTRATOR, Event, EventType
from orchestrator_calls.journal import MemoryJournal
from orchestrator_calls.notices import EventKept, GapSeen, Notice
from orchestrator_calls.runtime import CallRuntime, Receipt
from orchestrator_kernel.virtual_time import EPOCH, LoopClock, run

WINDOW = 0.3
POLICY = Policy(silence=8.0, hang_up_grace=5.0, transfer_limit=20.0, reorder_window=WINDOW)
APART = 2 * WINDOW + 0.05
"""What is decided by time is kept this far from every event: an event may come a window late and wait another one."""


@dataclass
class Log:
    """Events as they happened: when, and what.

    Attributes:
        media: Whether there is a media leg from the start; otherwise replies are in the answers.
        tail: How many seconds the call is watched after the last event.
    """

    media: bool
    events: list[tuple[float, Event]] = field(default_factory=list)
    tail: float = 3.0


# --- making a call ----------------------------------------------------------------------------------------------------------


class Scene:
    """Writes a call down, event by event, with sources whose clocks differ."""

    def __init__(self, draw: st.DrawFn, *, counting: bool, media: bool) -> None:
        self.draw = draw
        self.counting = counting
        self.log = Log(media)
        self.skews = {name: draw(st.sampled_from([0.0, -5.0, 4.9, 1.3])) for name in ("agent", "livekit", "sip")}
        self.now = 1.0
        self.counts: dict[str, int] = {}
        self.last_source = ""

    def happen(self, kind: str, gap: float, source: str = "agent", **payload: Any) -> Event:
        """The next event, `gap` seconds after the last.

        Clocks differ and delays overlap: nobody can tell in which order two sources meant what they said within less than the window.
        So what decides something is that far from what another source said.
        """
        decides = kind not in {"participant_joined", "participant_left", "error"} or payload.get("fatal") is True
        if source != self.last_source and decides:
            gap = max(gap, WINDOW + 0.02)
            self.last_source = source
        self.now = round(self.now + gap, 3)
        counted = source == "agent" and self.counting
        if counted:
            self.counts[source] = self.counts.get(source, 0) + 1
        at = EPOCH + timedelta(seconds=self.now)
        event = Event(
            id=f"{source}-{len(self.log.events)}",
            call_id=CALL,
            tenant=TENANT,
            type=EventType(kind),
            source=source,
            sequence=self.counts[source] if counted else None,
            occurred_at=at + timedelta(seconds=self.skews[source]),
            received_at=at,
            payload=payload,
        )
        self.log.events.append((self.now, event))
        return event

    def gap(self, *choices: float) -> float:
        return self.draw(st.sampled_from(choices))

    def say(self, text: str, gap: float) -> Event:
        """The caller says something: often heard to begin, sometimes guessed at, then final; and some go right on."""
        if self.draw(st.booleans()):
            self.happen("speech_started", gap)
            gap = self.gap(0.05, 0.2, 0.5)
        for _ in range(self.draw(st.integers(0, 2))):
            self.happen("transcription", gap, text=text[:4], final=False)
            gap = self.gap(0.03, 0.2)
        final = self.happen("transcription", gap, text=text, final=True)
        if self.draw(st.sampled_from([False, False, True])):
            self.happen("speech_started", self.gap(0.02, 0.15, 0.5))
        return final

    def press(self, digits: str, gap: float, source: str) -> None:
        for digit in digits:
            self.happen("dtmf", gap, source=source, digit=digit)
            gap = self.gap(0.05, 0.15, 0.4)

    def lose(self) -> None:
        """An event of the agent gets lost for good."""
        if self.counting:
            self.counts["agent"] = self.counts.get("agent", 0) + 1


TEXTS = ["a table", "hello", "tomorrow at eight", "code", "operator", "goodbye"]


def _start(scene: Scene) -> None:
    draw = scene.draw
    channel = "media" if scene.log.media else "answer"
    if draw(st.booleans()):
        scene.happen("participant_joined", 0.0, source="livekit", participant="agent")
    early = draw(st.integers(0, 3))
    if early == 1:
        scene.say("hello", 0.2)
    scene.happen("agent_ready", 0.1, reply_channel=channel)
    if early == 2:
        scene.press("1", 0.2, "agent")
    if draw(st.booleans()):
        scene.happen("call_started", 0.4, source="livekit", caller="+491", presumed_channel="media")
    else:
        scene.happen("call_started", 0.1, caller="+491", language="en-US")


def _step(scene: Scene) -> None:
    draw = scene.draw
    # Close behind what was before, in the middle of an answer, or after it.
    gap = scene.gap(0.02, 0.1, 0.02, 0.5, 0.9, 4.0)
    match draw(st.sampled_from(["say", "say", "press", "burst", "hold", "barge", "transfer", "lose", "noise"])):
        case "say":
            text = draw(st.sampled_from(TEXTS))
            turn = scene.say(text, gap)
            if text == "operator" and draw(st.booleans()):
                outcome = draw(st.sampled_from(["transfer_failed", "transfer_completed"]))
                scene.happen(outcome, scene.gap(3.5, 6.0), key=f"transfer/{turn.id}")
        case "press":
            digits = draw(st.sampled_from(["1", "12", "1234", "12#", "0"]))
            scene.press(digits, gap, draw(st.sampled_from(["agent", "sip"])))
        case "burst":
            for text in draw(st.lists(st.sampled_from(TEXTS[:4]), min_size=2, max_size=3)):
                scene.happen("transcription", gap, text=text, final=True)
                gap = scene.gap(0.01, 0.1)
        case "hold":
            source = draw(st.sampled_from(["agent", "sip"]))
            scene.happen("hold", gap, source=source)
            if draw(st.booleans()):
                scene.say("aside", scene.gap(0.05, 0.4))
            if draw(st.sampled_from([True, True, False])):
                scene.happen("resume", scene.gap(0.05, 3.0), source=source)
        case "barge":
            scene.happen("speech_started", gap)
        case "transfer":
            scene.happen("transfer_requested", gap, key="by hand", target="desk")
            if draw(st.booleans()):
                scene.say("aside", scene.gap(0.05, 0.4))
            outcome = draw(st.sampled_from(["transfer_failed", "transfer_failed", "transfer_completed"]))
            scene.happen(outcome, scene.gap(0.05, 2.0), key="by hand")
        case "lose":
            scene.lose()
        case _:
            scene.happen("participant_left", 0.01, source="livekit", participant="bob")
            scene.happen("error", 0.01, source="livekit", message="a glitch", num_dropped=draw(st.integers(0, 2)))


def _end(scene: Scene) -> None:
    match scene.draw(st.sampled_from(["livekit", "agent", "fatal", "open", "long"])):
        case "livekit":
            scene.happen("call_ended", scene.gap(0.1, 1.2), source="livekit", reason="caller left")
        case "agent":
            scene.happen("call_ended", scene.gap(0.03, 1.2), reason="done")
            if scene.draw(st.booleans()):
                scene.happen("transcription", 0.05, text="too late", final=True)
        case "fatal":
            scene.happen("error", scene.gap(0.03, 0.9), message="no audio", fatal=True)
        case "long":
            scene.log.tail = 45.0
        case _:
            pass


@st.composite
def logs(draw: st.DrawFn, *, media: bool, counting: bool = True, steps: int = 5) -> Log:
    """A plausible call."""
    scene = Scene(draw, counting=counting, media=media)
    _start(scene)
    for _ in range(draw(st.sampled_from([steps, steps, steps - 1, 1, 0]))):
        _step(scene)
    _end(scene)
    return scene.log


Delivery = list[tuple[float, Event]]


@st.composite
def deliveries(draw: st.DrawFn, log: Log, late: Sequence[float] = (0.0, 0.0, 0.06, 0.15, 0.299, 0.299)) -> Delivery:
    """The same events, each up to a window late, some of them twice or again much later."""
    delays = st.sampled_from(late)
    arrivals: Delivery = []
    for at, event in log.events:
        arrivals.append((at + draw(delays), event))
        copies = draw(st.sampled_from([0, 0, 0, 1, 1, 2]))
        for copy in range(copies):
            # A copy comes as soon as it likes within the window, or long after.
            arrivals.append((at + (draw(delays) if copy == 0 else draw(st.sampled_from([0.4, 2.0, 7.7]))), event))
    arrivals.sort(key=lambda arrival: arrival[0])
    return arrivals


# --- running it -------------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """What became of one delivery."""

    call: Call
    journal: list[Event]
    leg: Leg
    notices: list[Notice]
    receipts: list[Receipt]


async def _deliver(log: Log, delivery: Delivery, runs: list[Run]) -> None:
    clock, leg, notices = LoopClock(), Leg(), list[Notice]()
    journal = MemoryJournal(clock)
    receipts: list[Receipt] = []
    runtime = CallRuntime(
        journal=journal,
        responder=lambda _: Echo(),
        speech=Metronome(),
        clock=clock,
        policy=POLICY,
        observe=notices.append,
    )

    async def submit(at: float, event: Event) -> None:
        await asyncio.sleep(at)
        receipts.append(await runtime.submit(replace(event, received_at=clock.now())))

    async with runtime, AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as tasks:
            for at, event in delivery:
                tasks.create_task(submit(at, event))
            if log.media:
                await asyncio.sleep(log.events[0][0] + WINDOW + 0.01)
                await stack.enter_async_context(runtime.media(CALL, leg))
        await asyncio.sleep(log.events[-1][0] + log.tail + 8.0 - clock.monotonic())
        call = await runtime.view(CALL)
    runs.append(Run(call, await journal.read(CALL), leg, notices, receipts))


def deliver(log: Log, delivery: Delivery) -> Run:
    """Submit each event at its time, and watch until nothing more is to come."""
    runs: list[Run] = []
    # Not as the result: asyncio's runner writes the representation of its task's result, which takes longer than the call.
    run(_deliver(log, delivery, runs))
    return runs[0]


# --- what is compared -------------------------------------------------------------------------------------------------------


def spoken(call: Call) -> list[tuple[str, int, str]]:
    """Every sentence that was said: turn, place in the answer, text."""
    return [(turn.id, place, each.text) for turn in call.turns.values() for place, each in enumerate(whole(turn))]


def whole(turn: Turn) -> list[Sentence]:
    """The sentences without what is left of one when the leg goes at the end of the test: how far it came by then is a matter of delays."""
    return [each for each in turn.sentences if not each.key.endswith("+")]


def caller(call: Call) -> list[tuple[str, str]]:
    """What the caller said and pressed, as it was understood."""
    return [(turn.kind.value, turn.shown) for turn in call.turns.values()]


def essence(call: Call) -> dict[str, Any]:
    """All of a call but the times, and what was heard by then: an interruption cuts the speech when it arrives, not when it was made."""
    return {
        "state": call.state,
        "end": call.end_reason,
        "who": (call.caller, call.dialed, call.language, call.channel, call.started_at is not None),
        "turns": [
            (
                turn.id,
                turn.kind,
                turn.inputs,
                turn.text,
                turn.repeats,
                turn.sensitive,
                turn.note,
                turn.command,
                turn.outcome,
                [(each.key, each.text, each.language, each.over) for each in whole(turn)],
            )
            for turn in call.turns.values()
        ],
        "memory": call.memory,
        "collecting": call.collecting,
        "commands": sorted(call.commands),
        "fired": sorted(call.fired),
        "media": call.media_attached,
        "waiting": [each.id for each in call.waiting_inputs()],
        "after the end": call.recorded_after_end,
    }


def boundaries(log: Log, told: Run) -> bool:
    """Whether something was decided by time so near to an event that a delay within the window changes what came first.

    Two kinds: a timer that fires, or the last word of an answer, near an event; and an event of our own whose place between the clocks of
    others depends on when it was decided.
    """
    happened = [(EPOCH + timedelta(seconds=at)) for at, _ in log.events]
    last = {turn.sentences[-1].key for turn in told.call.turns.values() if turn.sentences}
    decided = [
        each.received_at
        for each in told.journal
        if each.type is EventType.TIMER_FIRED
        or (each.type is EventType.PLAYBACK_FINISHED and each.payload["key"] in last)
    ]
    near = timedelta(seconds=APART)
    if any(abs(at - when) < near for at in decided for when in happened):
        return True
    walked = {EventType.TRANSFER_REQUESTED, EventType.TRANSFER_FAILED, EventType.CALL_ENDED}
    ours = [each.occurred_at for each in told.journal if each.source == ORCHESTRATOR and each.type in walked]
    return any(abs(at - event.occurred_at) < near for at in ours for _, event in log.events)


def refold(told: Run) -> Call:
    return fold(told.journal)


def once(notices: list[Notice]) -> bool:
    """Whether every event was told of once."""
    ids = [each.event.id for each in notices if isinstance(each, EventKept)]
    return len(ids) == len(set(ids))


def missing(notices: list[Notice]) -> int:
    """How many events were told to be missing."""
    return sum(each.missing for each in notices if isinstance(each, GapSeen))


def examples(count: int) -> settings:
    quiet = [
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ]
    return settings(
        max_examples=int(count * float(os.environ.get("N", "1"))), deadline=None, suppress_health_check=quiet
    )
