"""Test calls from the operators' page: the caller types and presses keys, the desk is heard over a media leg of our own."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

from orchestrator_app.composition.console_calls import CallBoard
from orchestrator_app.composition.speech import Voices
from orchestrator_app.composition.trial_calls import is_trial, new_trial
from orchestrator_app.settings import AppSettings
from orchestrator_calls.events import TERMINAL, Event, EventType
from orchestrator_calls.journal import CallRow, Journal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.exceptions import OrchestratorError, ValidationError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock, Json
from orchestrator_kernel.ports.operations import (
    LineClosed,
    LineEvent,
    SpeechCut,
    SpeechEnds,
    SpeechSound,
    SpeechStarts,
    TrialCall,
    TrialLine,
    UnknownTrialCall,
)

__all__ = ["TestCalls"]

SOURCE: Final = "console"
_TOGETHER: Final = 4
"""How many frames of 20 ms go together."""
_WAITING: Final = 200
_POLL: Final = 1.0


class _Line:
    """A `MediaSink` whose other side is the page."""

    reports = False

    def __init__(self) -> None:
        self.events: asyncio.Queue[LineEvent] = asyncio.Queue(_WAITING)
        self.orders: asyncio.Queue[Mapping[str, Json]] = asyncio.Queue()

    async def audio(self, frame: bytes) -> None:
        await self.events.put(SpeechSound(frame))

    async def control(self, message: Mapping[str, Json]) -> None:
        key = str(message.get("key", ""))
        match message["type"]:
            case "speech":
                rate = message["sample_rate"]
                await self.events.put(SpeechStarts(key, str(message["text"]), rate if isinstance(rate, int) else 0))
            case "end":
                await self.events.put(SpeechEnds(key))
            case "clear":
                await self.events.put(SpeechCut(key))
            case "bye":
                await self.events.put(LineClosed(str(message.get("reason", ""))))
            case _:
                self.orders.put_nowait(message)


class TestCalls:
    """`TrialCalls` of this service."""

    __test__ = False  # no class of tests, whatever its name looks like to pytest

    def __init__(
        self,
        settings: AppSettings,
        journal: Journal,
        runtime: CallRuntime,
        voices: Voices,
        board: CallBoard,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._runtime = runtime
        self._voices = voices
        self._board = board
        self._clock = clock

    async def lines(self) -> Sequence[TrialLine]:
        return [
            TrialLine(tenant=name, title=tenant.name or name, languages=tuple(tenant.languages))
            for name, tenant in self._settings.tenants.items()
        ]

    async def place(self, tenant: str, language: str, *, by: str) -> TrialCall:
        known = {line.tenant: line.languages for line in await self.lines()}
        if tenant not in known:
            raise ValidationError("There is no such tenant.", details={"field": "tenant"})
        if language not in known[tenant]:
            raise ValidationError(f"{tenant} does not speak this language.", details={"field": "language"})
        call = TrialCall(id=new_trial(), tenant=tenant, voiced=self._voices.speech is not None)
        payload: dict[str, Json] = {"language": language, "placed_by": by}
        if call.voiced:
            payload["presumed_channel"] = "media"
        await self._tell(call.id, tenant, EventType.PARTICIPANT_JOINED, payload, event_id=f"joined:{call.id}")
        if not call.voiced:
            await self._answer(call, language)
        return call

    async def _answer(self, call: TrialCall, language: str) -> None:
        """Somebody listens: the call begins. Told again by whoever listens later, and counted once."""
        payload: dict[str, Json] = {"language": language} if language else {}
        if call.voiced:
            payload["reply_channel"] = "media"
        await self._tell(call.id, call.tenant, EventType.CALL_STARTED, payload, event_id=f"started:{call.id}")

    async def find(self, call_id: str) -> TrialCall:
        row = await self._row(call_id)
        return TrialCall(id=call_id, tenant=row.tenant, voiced=self._voices.speech is not None)

    async def _row(self, call_id: str) -> CallRow:
        row = await self._journal.call(call_id) if is_trial(call_id) else None
        if row is None or row.state in TERMINAL:
            raise UnknownTrialCall("There is no such test call, or it is over.")
        return row

    async def say(self, call_id: str, text: str) -> None:
        row = await self._row(call_id)
        call = await self._runtime.view(call_id)
        await self._tell(call_id, row.tenant, EventType.SPEECH_STARTED, {})
        payload: dict[str, Json] = {"text": text, "final": True, "language": call.language}
        await self._tell(call_id, row.tenant, EventType.TRANSCRIPTION, payload)

    async def press(self, call_id: str, keys: str) -> None:
        row = await self._row(call_id)
        for key in keys:
            await self._tell(call_id, row.tenant, EventType.DTMF, {"digit": key})

    async def hang_up(self, call_id: str) -> None:
        await self._end(call_id, "hung up")

    async def _end(self, call_id: str, reason: str) -> None:
        row = await self._journal.call(call_id)
        if row is not None and row.state not in TERMINAL:
            await self._tell(call_id, row.tenant, EventType.CALL_ENDED, {"reason": reason})

    async def _tell(
        self, call_id: str, tenant: str, kind: EventType, payload: Mapping[str, Json], *, event_id: str = ""
    ) -> None:
        now = self._clock.now()
        await self._runtime.submit(
            Event(
                id=event_id or f"{SOURCE}:{uuid.uuid4().hex}",
                call_id=call_id,
                tenant=tenant,
                type=kind,
                source=SOURCE,
                occurred_at=now,
                received_at=now,
                payload=payload,
            )
        )

    # --- listening ----------------------------------------------------------------------------------------------------------

    async def listen(self, call_id: str) -> AsyncGenerator[LineEvent, None]:
        call = await self.find(call_id)
        heard = self._hear(call) if call.voiced else self._read(call)
        over = False
        try:
            async for event in heard:
                over = isinstance(event, LineClosed)
                yield event
        finally:
            await heard.aclose()
            if not over:
                # A caller who is gone has hung up.
                await self._end(call_id, "the page was left")

    async def _hear(self, call: TrialCall) -> AsyncGenerator[LineEvent, None]:
        line = _Line()
        async with self._runtime.media(call.id, line):
            await self._answer(call, "")
            obeying = asyncio.create_task(self._obey(call, line))
            try:
                while True:
                    for event in await _next_events(line.events):
                        yield event
                        if isinstance(event, LineClosed):
                            return
            finally:
                await cancel(obeying)

    async def _obey(self, call: TrialCall, line: _Line) -> None:
        """Do what a telephony provider does with the desk's orders."""
        while True:
            order = await line.orders.get()
            try:
                if order["type"] == "hang_up":
                    await self._end(call.id, "the desk hung up")
                elif order["type"] == "transfer" and not self._transferred_elsewhere(call.tenant):
                    await self._end(
                        call.id, f"to be transferred to {order.get('target', '')}; nobody was really called"
                    )
            except OrchestratorError as error:
                await line.events.put(LineClosed(error.message))

    def _transferred_elsewhere(self, tenant: str) -> bool:
        """Whether the tenant's endpoint transfers, and says how it went: here is no telephone to do it with."""
        own = self._settings.tenants.get(tenant)
        return own is not None and own.transfer_action is not None

    async def _read(self, call: TrialCall) -> AsyncGenerator[LineEvent, None]:
        """The replies of a call without a voice, as they come."""
        told: set[str] = set()
        changed = asyncio.Event()
        with self._board.watch(lambda call_id: changed.set() if call_id == call.id else None):
            while True:
                found = await self._runtime.view(call.id)
                for turn in found.turns.values():
                    for number, sentence in enumerate(turn.sentences):
                        key = f"{turn.id}/{number}"
                        if key not in told:
                            told.add(key)
                            yield SpeechStarts(key, sentence.text, 0)
                            yield SpeechEnds(key)
                if found.state in TERMINAL:
                    yield LineClosed(found.end_reason)
                    return
                changed.clear()
                try:
                    async with asyncio.timeout(_POLL):
                        await changed.wait()
                except TimeoutError:
                    continue


async def _next_events(events: asyncio.Queue[LineEvent]) -> list[LineEvent]:
    """What is heard next; frames of sound together, but none of them later than what follows it."""
    first = await events.get()
    if not isinstance(first, SpeechSound):
        return [first]
    frames, after = deque([first.pcm]), list[LineEvent]()
    while len(frames) < _TOGETHER and not after:
        event = await events.get()
        if isinstance(event, SpeechSound):
            frames.append(event.pcm)
        else:
            after.append(event)
    return [SpeechSound(b"".join(frames)), *after]
