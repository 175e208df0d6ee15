"""What several test modules of this package share: events made shortly, a responder and a voice without any I/O, a leg that remembers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from orchestrator_calls.call import Call
from orchestrator_calls.events import CallState, Event, EventType
from orchestrator_calls.journal import Appended, JournalUnavailable, MemoryJournal
from orchestrator_calls.notices import Notice
from orchestrator_calls.responder import (
    Act,
    Collect,
    HangUp,
    InputKind,
    Note,
    Remember,
    Responder,
    Say,
    Step,
    Transfer,
    TurnContext,
)
from orchestrator_calls.runtime import CallRuntime, Receipt
from orchestrator_kernel.ports import Clock, Json, Speech, SpeechChunk, SpeechRequest, WordTiming
from orchestrator_kernel.virtual_time import EPOCH, LoopClock, run

CALL = "call-1"
TENANT = "t1"
P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a test on virtual time: hours pass in milliseconds, and always in the same order."""

    @functools.wraps(test)
    def on_virtual_time(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        run(main())

    return on_virtual_time


def attempt(function: Callable[[], T], refusal: type[E]) -> tuple[T | None, E | None]:
    """What a function answers, or how it refuses; any other error is the test's."""
    try:
        return function(), None
    except refusal as error:
        return None, error


def event(
    kind: EventType | str,
    at: float,
    /,
    *,
    id: str | None = None,  # noqa: A002 - as the event names it
    sequence: int | None = None,
    source: str = "agent",
    call: str = CALL,
    received: float | None = None,
    **payload: Json,
) -> Event:
    """An event `at` seconds into the test's time."""
    kind = EventType(kind)
    return Event(
        id=id or f"{source}-{kind.value}-{at}-{sequence}",
        call_id=call,
        tenant=TENANT,
        type=kind,
        source=source,
        sequence=sequence,
        occurred_at=EPOCH + timedelta(seconds=at),
        received_at=EPOCH + timedelta(seconds=at if received is None else received),
        payload=payload,
    )


class Echo:
    """Answers what it hears in two sentences, knows a few words, and counts its turns in its memory."""

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        heard = context.input
        count = int(str(context.memory.get("turns", 0))) + 1
        if heard.kind is InputKind.GREETING:
            yield Say("Good evening, this is the desk.", "en-US")
        elif heard.kind is InputKind.SILENCE:
            yield Say(f"Are you still there, time {heard.repeats}?", "en-US")
            if heard.repeats > 2:
                yield HangUp("silence")
        elif heard.kind is InputKind.OUTCOME and heard.outcome is not None:
            yield Say(f"The {heard.action} is {heard.outcome.status.value}: {heard.outcome.reason}.", "en-US")
        elif heard.text == "book":
            yield Say("I will book that.", "en-US")
            yield Act("booking", {"guests": 4})
        elif heard.text == "goodbye":
            yield Say("Goodbye then.", "en-US")
            yield HangUp("caller said goodbye")
        elif heard.text in {"0", "operator"}:
            yield Say("One moment please.", "en-US")
            yield Transfer("operator", "asked for a person")
        elif heard.text == "code":
            yield Say("Please type your code.", "en-US")
            yield Collect(digits=4, sensitive=True)
        else:
            yield Note("echo", understood=True)
            yield Say(f"You said {heard.text}.", "en-US")
            yield Say(f"That was turn {count} of this call.", "en-US")
        yield Remember({"turns": count})


class Metronome:
    """A voice that takes 200 ms per word, each word told when its audio begins; 8 kHz."""

    rate = 8000
    word_ms = 200

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        for number, word in enumerate(request.text.split()):
            timing = WordTiming(word, number * self.word_ms, (number + 1) * self.word_ms)
            yield SpeechChunk(b"\1\0" * (self.rate * self.word_ms // 1000), self.rate, (timing,))


class Leg:
    """A media leg that notes what it gets and when."""

    def __init__(self, *, reports: bool = False) -> None:
        self.reports = reports
        self.frames: list[tuple[float, bytes]] = []
        self.controls: list[tuple[float, Mapping[str, Json]]] = []

    async def audio(self, frame: bytes) -> None:
        self.frames.append((asyncio.get_running_loop().time(), frame))

    async def control(self, message: Mapping[str, Json]) -> None:
        self.controls.append((asyncio.get_running_loop().time(), message))

    def texts(self) -> list[str]:
        return [str(message["text"]) for _, message in self.controls if message["type"] == "speech"]


class FlakyJournal(MemoryJournal):
    """A journal that can be away, slow, or refuse, and forgets nothing."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.away = False
        self.marking = True
        self.delay = 0.0
        self.refusal: Exception | None = None
        self.refusing: EventType | None = None
        self.attempts = 0

    async def append(self, events: Sequence[Event], **options: Any) -> list[Appended]:
        self.attempts += 1
        await asyncio.sleep(self.delay)
        if self.refusal is not None:
            raise self.refusal
        if self.away or any(each.type is self.refusing for each in events):
            raise JournalUnavailable("the disk is full")
        return await super().append(events, **options)

    async def mark(self, call_id: str, state: CallState, caller: str = "", **options: Any) -> None:
        if self.away or not self.marking:
            raise JournalUnavailable("the disk is full")
        await super().mark(call_id, state, caller, **options)


@dataclass
class Stage:
    """A runtime on virtual time with its journal, and what it told."""

    runtime: CallRuntime
    journal: FlakyJournal
    notices: list[Notice]

    async def tell(self, kind: str, /, wait: float = 0.0, **options: Any) -> Receipt:
        """Submit an event that happens now."""
        return await self.runtime.submit(event(kind, asyncio.get_running_loop().time(), **options), wait=wait)

    async def call(self, call: str = CALL) -> Call:
        return await self.runtime.view(call)

    async def said(self, call: str = CALL) -> list[str]:
        """Every sentence of the orchestrator."""
        return [each.text for turn in (await self.call(call)).turns.values() for each in turn.sentences]

    async def kept(self, call: str = CALL) -> list[str]:
        """The types of all events in the journal."""
        return [each.type.value for each in await self.journal.read(call)]

    def told(self, kind: type[T]) -> list[T]:
        return [notice for notice in self.notices if isinstance(notice, kind)]


@asynccontextmanager
async def working(
    responder: Responder | None = None,
    *,
    journal: FlakyJournal | None = None,
    voice: Speech | None = None,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A runtime that answers with `Echo` and speaks with `Metronome` unless told otherwise."""
    clock, notices = LoopClock(), list[Notice]()
    journal = journal or FlakyJournal(clock)
    runtime = CallRuntime(
        journal=journal,
        responder=lambda _: responder or Echo(),
        speech=voice or Metronome(),
        clock=clock,
        observe=notices.append,
        **options,
    )
    async with runtime:
        yield Stage(runtime, journal, notices)
