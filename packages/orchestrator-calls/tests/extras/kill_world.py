"""A scripted call against a world that outlives the process: what was heard, done and acknowledged is in a file.

`play(folder, kill_at)` goes on with the call where the world's file says it stands, and kills its own process at the `kill_at`-th point: before or
after a journal write, before or after an effect.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from calls_support import CALL, TENANT, Echo, Leg, Metronome
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy import event as engine_event

from orchestrator_calls._drivers._sql_batch import Batch
from orchestrator_calls.actions import ActionOutcome, ActionRequest, ActionStatus
from orchestrator_calls.call import fold
from orchestrator_calls.decide import Policy
from orchestrator_calls.engine import _prepare_sqlite, create_engine
from orchestrator_calls.events import TERMINAL, Event, EventType
from orchestrator_calls.runtime import CallRuntime
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_calls.tables import METADATA
from orchestrator_kernel.virtual_time import EPOCH, LoopClock, run

DONE = ActionOutcome(status=ActionStatus.DONE, reason="ok")

SCRIPT: Sequence[tuple[str, str, dict[str, Any], float]] = (
    # id, type, payload, seconds until the next
    ("e1", "agent_ready", {"reply_channel": "media"}, 0.1),
    ("e2", "call_started", {"caller": "+491", "language": "en-US"}, 3.0),
    ("e3", "transcription", {"text": "hello"}, 4.0),
    ("e4", "transcription", {"text": "book"}, 6.0),
    ("e5", "transcription", {"text": "more"}, 0.9),
    ("e6", "speech_started", {}, 0.5),
    ("e7", "dtmf", {"digit": "5"}, 3.0),
    ("e8", "transcription", {"text": "operator"}, 2.0),
    ("e9", "transfer_failed", {"key": "transfer/e8", "reason": "busy"}, 3.0),
    ("e10", "transcription", {"text": "goodbye"}, 2.0),
    ("e11", "call_ended", {"reason": "caller left"}, 2.0),
)


@dataclass
class World:
    """What is outside the process, in a file that a kill cannot take back."""

    folder: Path
    kill_at: int | None
    points: int = 0
    past: list[dict[str, Any]] = field(default_factory=list)
    began: float = 0.0

    def __post_init__(self) -> None:
        path = self.folder / "world"
        self.past = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.began = max((each["at"] for each in self.past), default=0.0) + (0.5 if self.past else 0.0)

    def point(self) -> None:
        """Here the process may die."""
        self.points += 1
        if self.points == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self, kind: str, what: str, **more: Any) -> None:
        at = self.began + asyncio.get_running_loop().time()
        os.write(self._file, (json.dumps({"kind": kind, "what": what, "at": at, **more}) + "\n").encode())

    def effect(self, kind: str, what: str, **more: Any) -> None:
        """Something happens out there: before it the process may die, and after it."""
        self.point()
        self.note(kind, what, **more)
        self.point()

    def told(self, kind: str) -> list[str]:
        path = self.folder / "world"
        return [each["what"] for line in path.read_text().splitlines() if (each := json.loads(line))["kind"] == kind]


class Ear(Leg):
    """The caller's ear: the first frame of a sentence, and each order, is an effect."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.key = ""

    async def control(self, message: Any) -> None:
        if message["type"] == "speech":
            self.key = str(message["key"])
            self.text = str(message["text"])
        elif message["type"] in {"transfer", "hang_up"}:
            self.world.effect("ordered", str(message["key"]))

    async def audio(self, frame: bytes) -> None:
        if self.key:
            key, self.key = self.key, ""
            self.world.effect("started", key, text=self.text)


class Desk:
    """The tenant's system: can say what became of a key."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def run(self, request: ActionRequest) -> ActionOutcome:
        await asyncio.sleep(0.4)
        self.world.effect("ran", request.key)
        await asyncio.sleep(0.4)
        return DONE

    async def probe(self, request: ActionRequest) -> ActionOutcome | None:
        return DONE if request.key in self.world.told("ran") else None


class Plain:
    """Seals nothing: what is tested is what is kept, not how."""

    async def seal(self, data: bytes, scope: object) -> bytes:
        return data

    async def open(self, data: bytes, scope: object) -> bytes:
        return data


class InlineCommits:
    """Commits on the loop's own thread, so that virtual time stands still meanwhile; each may be the last thing the process does."""

    def __init__(self, engine: Any, batch: Batch, world: World) -> None:
        self.engine, self.batch, self.world = engine, batch, world

    async def commit(self, works: Any) -> list[object]:
        self.world.point()
        with self.engine.connect() as connection:
            results = self.batch.run(connection, works)
            connection.commit()
        self.world.point()
        return results

    async def close(self) -> None:
        self.engine.dispose()


class InlineJournal(SqlJournal):
    """The journal with reads and commits that take no virtual time."""

    def __init__(self, folder: Path, world: World) -> None:
        url = f"sqlite+aiosqlite:///{folder}/calls.db"
        super().__init__(create_engine(url), Plain())
        self.sync = create_sync_engine(f"sqlite:///{folder}/calls.db")
        engine_event.listen(self.sync, "connect", _prepare_sqlite)
        METADATA.create_all(self.sync)
        self.world = world

    def _commits(self) -> Any:
        return InlineCommits(self.sync, Batch("sqlite"), self.world)

    async def _fetch(self, query: Any) -> Any:
        with self.sync.connect() as connection:
            return connection.execute(query).all()


async def _attach(stack: AsyncExitStack, runtime: CallRuntime, journal: SqlJournal, world: World) -> None:
    """The caller's phone connects, once there is a call."""
    row = await journal.call(CALL)
    if not stack._exit_callbacks and row is not None and row.state not in TERMINAL:
        await stack.enter_async_context(runtime.media(CALL, Ear(world)))


async def _play(world: World) -> None:
    clock = LoopClock(EPOCH + timedelta(seconds=world.began))
    opened = time.perf_counter()
    journal = InlineJournal(world.folder, world)
    await journal.open()
    runtime = CallRuntime(
        journal=journal,
        responder=lambda _: Echo(),
        actions=lambda _: Desk(world),
        speech=Metronome(),
        clock=clock,
        policy=Policy(silence=60.0),
    )
    acknowledged = set(world.told("acknowledged"))
    async with runtime, AsyncExitStack() as stack:
        handled = False
        if acknowledged:
            await _attach(stack, runtime, journal, world)
            # The caller waits and hears what is still to be said.
            await asyncio.sleep(6)
        for number, (event_id, kind, payload, pause) in enumerate(SCRIPT, 1):
            if event_id not in acknowledged:
                now = clock.now()
                event = Event(
                    id=event_id,
                    call_id=CALL,
                    tenant=TENANT,
                    type=EventType(kind),
                    source="agent",
                    sequence=number,
                    occurred_at=now,
                    received_at=now,
                    payload=payload,
                )
                await runtime.submit(event)
                world.note("acknowledged", event_id)
                if not handled:
                    handled = True
                    world.note("resumed", str(time.perf_counter() - opened))
            await _attach(stack, runtime, journal, world)
            if event_id not in acknowledged:
                await asyncio.sleep(pause)
        # Whoever goes on late still says what is to be said, before the caller leaves.
        await asyncio.sleep(3)
    await journal.close()


def play(folder: Path, kill_at: int | None) -> int:
    """Play the call to its end, or to the process's; how many points there were."""
    world = World(folder, kill_at)
    run(_play(world))
    return world.points


def verdict(folder: Path) -> dict[str, Any]:
    """What the journal and the world say in the end."""
    world = World(folder, None)
    loop = asyncio.new_event_loop()
    journal = InlineJournal(folder, world)
    events = loop.run_until_complete(journal.read(CALL))
    loop.close()
    call = fold(events)
    kept = {event.id for event in events}
    finals = [event_id for event_id, kind, _, _ in SCRIPT if kind in {"transcription", "dtmf"}]
    started = Counter(world.told("started"))
    texts = {each["what"]: each["text"] for each in world.past if each["kind"] == "started"}
    return {
        "lost": [each for each in world.told("acknowledged") if each not in kept],
        "unanswered": [each for each in finals if (turn := call.turn_of(each)) is None or turn.outcome is None],
        "started_twice": [key for key, count in started.items() if count > 1],
        "begun_again": [key for key, text in texts.items() if key.endswith("+") and texts.get(key[:-1]) == text],
        "run_twice": [key for key, count in Counter(world.told("ran")).items() if count > 1],
        "runs": len(set(world.told("ran"))),
        "state": call.state.value,
        "said": [
            [turn.id, sentence.text]
            for turn in call.turns.values()
            for sentence in turn.sentences
            if not sentence.filler and not sentence.key.endswith("+")
        ],
        "orders": sorted(set(world.told("ordered"))),
        "memory": dict(call.memory),
        "started": float(world.told("resumed")[0]),
        "resumed": [float(each) for each in world.told("resumed")][1:],
    }
