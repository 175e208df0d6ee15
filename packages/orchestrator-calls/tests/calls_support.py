"""What several test modules of this package share: events made shortly, a responder and a voice without any I/O, a leg that remembers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import ParamSpec, TypeVar

from orchestrator_calls.events import Event, EventType
from orchestrator_calls.responder import Collect, HangUp, InputKind, Note, Remember, Say, Step, Transfer, TurnContext
from orchestrator_kernel.ports import Json, SpeechChunk, SpeechRequest, WordTiming
from orchestrator_kernel.virtual_time import EPOCH, run

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
