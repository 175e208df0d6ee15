"""What a turn costs the caller in waiting, with few calls and with many; what shared commits save; how fast a long call is resumed."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from orchestrator_calls.decide import Policy
from orchestrator_calls.dialogue import ScriptedResponder, load_script
from orchestrator_calls.engine import create_engine
from orchestrator_calls.events import CallState, Event, EventType
from orchestrator_calls.journal import MemoryJournal, Snapshot
from orchestrator_calls.migrations import HISTORY
from orchestrator_calls.notices import Notice, TurnTimed
from orchestrator_calls.responder import Remember, Say, Step, TurnContext
from orchestrator_calls.runtime import CallRuntime
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_kernel import virtual_time
from orchestrator_kernel.ports import Json, SystemClock
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_performance.benchmarking import Bench, Contender, Gate, LatencyReport, Report, acompare, open_loop
from orchestrator_secrets.envelope import EnvelopeSealer, MasterKeyFile, MemoryKeyStore
from orchestrator_utils.tts_client import EmbeddedVoice

TENANT = "bench"
CALLS = 50
SECONDS_PER_TURN = 5.0
SECONDS = 30.0
TEXT_CALLS = 1000
LONG_EVENTS = 100_000
HOURS = 8
EVENTS_PER_TURN = 6
QUESTIONS = ("what time is breakfast", "when is check-in", "is there a spa", "do you have parking")

clock = SystemClock()
numbers = itertools.count(1)


def event(kind: EventType, call: str, sequence: int, /, **payload: Json) -> Event:
    now = clock.now()
    return Event(
        id=f"{call}-{sequence}-{next(numbers)}",
        call_id=call,
        tenant=TENANT,
        type=kind,
        source="agent",
        sequence=sequence,
        occurred_at=now,
        received_at=now,
        payload=payload,
    )


@asynccontextmanager
async def journal(folder: Path, name: str, *, max_batch: int = 256) -> AsyncIterator[SqlJournal]:
    """A journal in a SQLite file, synchronous=FULL, with the sealer of production."""
    engine = create_engine(f"sqlite+aiosqlite:///{folder / name}.db")

    async with engine.begin() as connection:
        await connection.run_sync(HISTORY.upgrade)
    sealer = EnvelopeSealer(MasterKeyFile(folder / "master.keys"), MemoryKeyStore(), clock=clock)
    opened = SqlJournal(engine, sealer, clock, max_batch=max_batch)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
        await engine.dispose()


class Ear:
    """A media leg in the same process: takes every frame, keeps none."""

    reports = False
    frames = 0

    async def audio(self, frame: bytes) -> None:
        Ear.frames += len(frame) > 0

    async def control(self, message: Mapping[str, Json]) -> None:
        """Nothing to do."""


class Turns:
    """Fifty calls with a media leg each, and the time from a final transcript to the first audio frame of its answer."""

    def __init__(self) -> None:
        self.waiting: dict[str, asyncio.Future[float]] = {}
        self.order = itertools.cycle(range(CALLS))
        self.sequences = [1] * CALLS
        self.runtime: CallRuntime | None = None

    def observe(self, notice: Notice) -> None:
        if isinstance(notice, TurnTimed):
            future = self.waiting.pop(notice.turn, None)
            if future is not None and not future.done():
                future.set_result(notice.seconds)

    async def begin(self, runtime: CallRuntime, stack: AsyncExitStack) -> None:
        self.runtime = runtime
        for number in range(CALLS):
            call = f"call-{number}"
            await runtime.submit(
                event(
                    EventType.CALL_STARTED, call, 1, caller=f"+4930{number:06}", reply_channel="media", language="en-US"
                )
            )
            await stack.enter_async_context(runtime.media(call, Ear()))
        await asyncio.sleep(1.0)

    async def one(self) -> None:
        """One caller says something; done when the answer begins to sound."""
        number = next(self.order)
        self.sequences[number] += 1
        said = event(
            EventType.TRANSCRIPTION,
            f"call-{number}",
            self.sequences[number],
            text=QUESTIONS[number % len(QUESTIONS)],
            final=True,
        )
        self.waiting[said.id] = asyncio.get_running_loop().create_future()
        heard = self.waiting[said.id]
        assert self.runtime is not None
        await self.runtime.submit(said)
        async with asyncio.timeout(10):
            await heard


async def own_share_of_a_turn() -> LatencyReport:
    """50 concurrent calls, one turn each 5 s, media streaming: final in to first audio frame out."""
    turns = Turns()
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            kept = await stack.enter_async_context(journal(Path(folder), "turns"))
            voice = EmbeddedVoice()
            stack.push_async_callback(voice.aclose)
            await voice.warm()
            responder = ScriptedResponder(load_script())
            runtime = CallRuntime(journal=kept, responder=lambda _: responder, speech=voice, observe=turns.observe)
            await stack.enter_async_context(runtime)
            await turns.begin(runtime, stack)
            return await open_loop(
                f"{CALLS} calls with media, a turn each {SECONDS_PER_TURN:g} s: final in to first audio frame out",
                arrive=turns.one,
                rate=CALLS / SECONDS_PER_TURN,
                seconds=SECONDS,
                warmup=5.0,
                gates=Gate(at_most_ms=20, percentile=99),
            )


async def shared_commits() -> Report:
    """Appends of 50 calls at once, against one commit per event; both durable at each commit."""
    with tempfile.TemporaryDirectory() as folder:
        async with journal(Path(folder), "alone", max_batch=1) as alone, journal(Path(folder), "shared") as shared:
            for each in (alone, shared):
                for number in range(CALLS):
                    await each.bind(TENANT, f"call-{number}")

            def partial(number: int) -> Event:
                return event(
                    EventType.TRANSCRIPTION, f"call-{number}", 1, text="so I was wondering whether", final=False
                )

            async def one_after_the_other() -> None:
                for number in range(CALLS):
                    await alone.append([partial(number)])

            async def all_at_once() -> None:
                await asyncio.gather(*[shared.append([partial(number)]) for number in range(CALLS)])

            return await acompare(
                "journal appends of 50 calls, synchronous=FULL",
                baseline=Contender("one commit per event", one_after_the_other, operations=CALLS, calls=1),
                contenders=[Contender("shared commits", all_at_once, operations=CALLS, calls=1)],
                gates={"shared commits": Gate(at_most=0.2)},
                clock="wall",
                seconds=6.0,
            )


class TextCalls:
    """A thousand calls whose replies are in the answers of requests."""

    def __init__(self, runtime: CallRuntime) -> None:
        self.runtime = runtime
        self.order = itertools.cycle(range(TEXT_CALLS))
        self.sequences = [1] * TEXT_CALLS

    async def begin(self) -> None:
        for number in range(TEXT_CALLS):
            call = f"text-{number}"
            started = event(EventType.CALL_STARTED, call, 1, caller=f"+4930{number:06}", language="en-US")
            await self.runtime.submit(started, wait=10.0)

    async def one(self) -> None:
        """One caller says something; done when the answer is there."""
        number = next(self.order)
        self.sequences[number] += 1
        text = QUESTIONS[number % len(QUESTIONS)]
        said = event(EventType.TRANSCRIPTION, f"text-{number}", self.sequences[number], text=text, final=True)
        receipt = await self.runtime.submit(said, wait=10.0)
        assert receipt.turn is not None
        assert receipt.turn.sentences


async def a_thousand_text_calls() -> LatencyReport:
    """1,000 concurrent calls, a turn each 10 s: final in to answer out."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            kept = await stack.enter_async_context(journal(Path(folder), "text"))
            responder = ScriptedResponder(load_script())
            runtime = CallRuntime(journal=kept, responder=lambda _: responder)
            await stack.enter_async_context(runtime)
            calls = TextCalls(runtime)
            await calls.begin()
            return await open_loop(
                f"{TEXT_CALLS} text calls, a turn each 10 s: final in to answer out",
                arrive=calls.one,
                rate=TEXT_CALLS / 10,
                seconds=SECONDS,
                warmup=5.0,
                gates=Gate(at_most_ms=100, percentile=99),
            )


class Breakfast:
    """The quickest responder."""

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        yield Say("Breakfast is from seven to half past ten.", "en-US")
        yield Remember({"last": context.turn})


async def eight_hours() -> tuple[list[Event], Snapshot]:
    """A call of eight hours and 100,000 events, on virtual time: its journal, and the last snapshot that its actor kept."""
    there, clock = MemoryJournal(LoopClock()), LoopClock()
    policy = Policy(max_duration=2 * HOURS * 3600)
    sequences = itertools.count(1)

    async def tell(runtime: CallRuntime, kind: EventType, **payload: Json) -> None:
        made = replace(
            event(kind, "long", next(sequences), **payload), occurred_at=clock.now(), received_at=clock.now()
        )
        await runtime.submit(made, wait=5.0 if payload.get("final", True) else 0.0)

    async with CallRuntime(journal=there, responder=lambda _: Breakfast(), clock=clock, policy=policy) as runtime:
        await tell(runtime, EventType.CALL_STARTED, caller="+49301", language="en-US")
        for _ in range(LONG_EVENTS // EVENTS_PER_TURN):
            for final in (False, False, True):
                await tell(runtime, EventType.TRANSCRIPTION, text="when is breakfast", final=final)
            await asyncio.sleep(HOURS * 3600 * EVENTS_PER_TURN / LONG_EVENTS)
    snapshot = await there.snapshot("long")
    assert snapshot is not None
    return list(await there.read("long")), snapshot


async def resume_of_a_long_call() -> LatencyReport:
    """A journal of 100,000 events of one call: journal open to the first event handled."""
    with tempfile.TemporaryDirectory() as folder:
        events, snapshot = await asyncio.to_thread(virtual_time.run, eight_hours())
        async with journal(Path(folder), "long") as kept:
            await kept.bind(TENANT, "long")
            for start in range(0, len(events), 5000):
                await kept.append(events[start : start + 5000])
            await kept.save("long", snapshot)
            await kept.mark("long", CallState.ACTIVE)
            keys = kept._sealer
        responder = ScriptedResponder(load_script())
        counted = itertools.count(max(each.sequence or 0 for each in events) + 1)

        async def resume() -> None:
            engine = create_engine(f"sqlite+aiosqlite:///{folder}/long.db")
            opened = SqlJournal(engine, keys, clock)
            await opened.open()
            async with CallRuntime(journal=opened, responder=lambda _: responder) as runtime:
                said = event(EventType.TRANSCRIPTION, "long", next(counted), text="is there a spa", final=True)
                receipt = await runtime.submit(said, wait=10.0)
                assert receipt.turn is not None
            await opened.close()
            await engine.dispose()

        return await open_loop(
            f"a call of {len(events):,} events: journal open to first answer",
            arrive=resume,
            rate=0.5,
            seconds=20.0,
            warmup=2.0,
            gates=Gate(at_most_ms=1000, percentile=99),
        )


def benches() -> Iterable[Bench]:
    return [own_share_of_a_turn, shared_commits, a_thousand_text_calls, resume_of_a_long_call]
