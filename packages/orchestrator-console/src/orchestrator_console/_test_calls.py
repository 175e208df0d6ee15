"""The test call: what the caller does comes as requests, what the caller hears goes as server-sent events with PCM in base64."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from orchestrator_console._access import Access
from orchestrator_console._frames import KEEP_ALIVE, frame
from orchestrator_console._parts import Parts
from orchestrator_console._web import check_csrf, fields_of
from orchestrator_kernel.exceptions import AuthorizationError, OrchestratorError, ValidationError
from orchestrator_kernel.ports.operations import (
    LineClosed,
    LineEvent,
    SpeechCut,
    SpeechEnds,
    SpeechSound,
    SpeechStarts,
    TrialCall,
    TrialCalls,
    UnknownTrialCall,
)

__all__ = ["CallActions"]

logger = logging.getLogger(__name__)

_KEYS: Final = frozenset("0123456789*#")
_MOST_TEXT: Final = 1_000
_MOST_KEYS: Final = 32
_IDLE: Final = 10.0
_AHEAD: Final = 16


class CallActions:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._listening: set[asyncio.Task[None]] = set()

    async def place(self, request: Request) -> Response:
        """Begin a call."""
        access, trial_calls, fields = await self._admit(request)
        tenant = fields.get("tenant", "")
        if not access.may_call(tenant):
            raise AuthorizationError("You may not place calls there.")
        call = await trial_calls.place(tenant, fields.get("language", ""), by=access.viewer.principal.id)
        return JSONResponse({"id": call.id, "voiced": call.voiced}, 201)

    async def say(self, request: Request) -> Response:
        """The caller speaks."""
        access, trial_calls, fields = await self._admit(request)
        text = " ".join(fields.get("text", "").split())
        if not 0 < len(text) <= _MOST_TEXT:
            raise ValidationError(f"Say something, in up to {_MOST_TEXT} letters.", details={"field": "text"})
        await trial_calls.say((await self._own(request, access, trial_calls)).id, text)
        return Response(status_code=204)

    async def press(self, request: Request) -> Response:
        """The caller presses keys."""
        access, trial_calls, fields = await self._admit(request)
        keys = fields.get("keys", "")
        if not 0 < len(keys) <= _MOST_KEYS or not _KEYS.issuperset(keys):
            raise ValidationError("Keys are 0 to 9, * and #.", details={"field": "keys"})
        await trial_calls.press((await self._own(request, access, trial_calls)).id, keys)
        return Response(status_code=204)

    async def hang_up(self, request: Request) -> Response:
        """The caller hangs up."""
        access, trial_calls, _ = await self._admit(request)
        await trial_calls.hang_up((await self._own(request, access, trial_calls)).id)
        return Response(status_code=204)

    async def listen(self, request: Request) -> Response:
        """What the caller hears."""
        access = await self._parts.access(request)
        if self._parts.trial_calls is None:
            raise UnknownTrialCall("There are no test calls here.")
        call = await self._own(request, access, self._parts.trial_calls)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(
            self._heard(self._parts.trial_calls, call.id), media_type="text/event-stream", headers=headers
        )

    async def _admit(self, request: Request) -> tuple[Access, TrialCalls, dict[str, str]]:
        access = await self._parts.access(request)
        fields = await fields_of(request)
        check_csrf(request, access.viewer, fields)
        if self._parts.trial_calls is None:
            raise UnknownTrialCall("There are no test calls here.")
        return access, self._parts.trial_calls, fields

    @staticmethod
    async def _own(request: Request, access: Access, trial_calls: TrialCalls) -> TrialCall:
        call = await trial_calls.find(request.path_params["call_id"])
        if not access.may_call(call.tenant):
            raise UnknownTrialCall("There is no such test call.")
        return call

    async def _heard(self, trial_calls: TrialCalls, call_id: str) -> AsyncGenerator[bytes, None]:
        """The line as events; a comment now and then shows a browser that is gone. After `over` the browser asks no more."""
        yield KEEP_ALIVE
        heard: asyncio.Queue[LineEvent] = asyncio.Queue(_AHEAD)
        # A task of its own: a request that is cancelled is cancelled at every step, and could not put the line down in order.
        listening = asyncio.create_task(_pass_on(trial_calls, call_id, heard), name=f"line {call_id}")
        self._listening.add(listening)
        listening.add_done_callback(self._listening.discard)
        closing = asyncio.create_task(self._close(heard))
        try:
            while True:
                try:
                    async with asyncio.timeout(_IDLE):
                        event = await heard.get()
                except TimeoutError:
                    yield KEEP_ALIVE
                    continue
                yield _message(event)
                if isinstance(event, LineClosed):
                    return
        finally:
            closing.cancel()
            listening.cancel()

    async def _close(self, heard: asyncio.Queue[LineEvent]) -> None:
        """Tell the page when the console ends."""
        await self._parts.hub.closed.wait()
        await heard.put(LineClosed("the service restarts"))


async def _pass_on(trial_calls: TrialCalls, call_id: str, heard: asyncio.Queue[LineEvent]) -> None:
    try:
        async with aclosing(trial_calls.listen(call_id)) as line:
            async for event in line:
                await heard.put(event)
                if isinstance(event, LineClosed):
                    return
        await heard.put(LineClosed(""))
    except OrchestratorError as error:
        await heard.put(LineClosed(error.message))
    except Exception:
        # Nobody waits for this task: the page is told that it is over, and the log why.
        logger.exception("a test call's line failed", extra={"call_id": call_id})
        await heard.put(LineClosed("the line failed; the log says why"))


def _message(event: LineEvent) -> bytes:
    match event:
        case SpeechStarts():
            return frame("speech", {"key": event.key, "text": event.text, "rate": event.sample_rate})
        case SpeechSound(pcm):
            return frame("sound", {"pcm": base64.b64encode(pcm).decode()})
        case SpeechEnds(key):
            return frame("end", {"key": key})
        case SpeechCut(key):
            return frame("cut", {"key": key})
        case LineClosed(reason):
            return frame("over", {"reason": reason})
