"""Open pages are told what changes, as server-sent events.

A page gets the state, not the history: what it was told last is kept here, and at each message what differs by now is sent. So a page that
reconnects is right at once, one that is slow skips what is outdated already, and how much happens does not matter to it: between two messages
are at least `push` seconds, and the next one is made only after the line has taken the last.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import StreamingResponse

from orchestrator_console._access import Access
from orchestrator_console._frames import KEEP_ALIVE, RETRY, Seen, frame
from orchestrator_console._hub import Changes
from orchestrator_console._pages import CallNotShown, Overview, transcript_of
from orchestrator_console._parts import Parts
from orchestrator_kernel.exceptions import OrchestratorError, RateLimitError
from orchestrator_kernel.ports import Json
from orchestrator_kernel.ports.operations import CallSummary

__all__ = ["Streams", "TooManyPages"]

_ROW = "call:"
_KEEP_ALIVE = 10.0


class TooManyPages(RateLimitError):
    """As many pages are open as may be."""

    default_code = "too_many_pages"
    default_status = 503


class Streams:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def overview(self, request: Request) -> StreamingResponse:
        """What changes on the overview."""
        access = await self._admit(request)
        return _events(self._pushing(request, access, _OverviewView(self._parts, request, access)))

    async def call(self, request: Request) -> StreamingResponse:
        """What changes on the page of one call."""
        access = await self._admit(request)
        call_id = request.path_params["call_id"]
        await transcript_of(self._parts, access, call_id)
        return _events(self._pushing(request, access, _CallView(self._parts, request, access, call_id)))

    async def _admit(self, request: Request) -> Access:
        access = await self._parts.access(request)
        if self._parts.hub.pages >= self._parts.config.max_streams:
            raise TooManyPages("As many pages are open as may be; close some.", retry_after=10.0)
        return access

    async def _pushing(
        self, request: Request, access: Access, view: _OverviewView | _CallView
    ) -> AsyncGenerator[bytes, None]:
        config, clock = self._parts.config, self._parts.clock
        checked = sent = clock.monotonic()
        yield RETRY
        with self._parts.hub.page() as changes:
            while not changes.closing:
                if clock.monotonic() - checked >= config.check_viewer:
                    now = await self._still(request, access)
                    if now is None:
                        yield frame("over", {})
                        return
                    view.access, checked = now, clock.monotonic()
                patch = await view.patch(changes)
                if patch:
                    yield frame("patch", patch)
                    sent = clock.monotonic()
                elif clock.monotonic() - sent >= _KEEP_ALIVE:
                    yield KEEP_ALIVE
                    sent = clock.monotonic()
                await _pause(changes, config.push, config.refresh, self._parts)

    async def _still(self, request: Request, access: Access) -> Access | None:
        """What they may by now; None when the session is over, or is another one's."""
        try:
            found = await self._parts.access(request)
        except OrchestratorError:
            # Also when it cannot be found out: who cannot be proved any more sees no more.
            return None
        return found if found.viewer.csrf_token == access.viewer.csrf_token else None


async def _pause(changes: Changes, least: float, most: float, parts: Parts) -> None:
    """Return when something happened, but not before `least` seconds, and after `most` in any case."""
    begun = parts.clock.monotonic()
    await changes.wait(most)
    rest = least - (parts.clock.monotonic() - begun)
    if rest > 0 and not changes.closing:
        await parts.clock.sleep(rest)


def _events(content: AsyncGenerator[bytes, None]) -> StreamingResponse:
    # A proxy that collects an answer before it passes it on would hold everything back.
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(content, media_type="text/event-stream", headers=headers)


class _OverviewView:
    """What one overview shows."""

    def __init__(self, parts: Parts, request: Request, access: Access) -> None:
        self._parts = parts
        self._request = request
        self.access = access
        self._seen = Seen()
        self._calls: dict[str, CallSummary] = {}
        self._read_at: float | None = None

    async def patch(self, changes: Changes) -> dict[str, Json]:
        """What is to be changed on the page; empty when nothing is."""
        touched, everything = changes.take()
        now = self._parts.clock.monotonic()
        if everything or self._read_at is None or now - self._read_at >= self._parts.config.refresh:
            self._read_at = now
            return await self._all()
        return await self._touched(touched)

    async def _all(self) -> dict[str, Json]:
        found = await Overview.of(self._parts, self.access)
        patch: dict[str, Json] = {}
        pieces: list[str] = []
        for name, value in found.named.items():
            if self._seen.differs(name, value):
                pieces.append(self._fragment(f"sections/{name}.html", {"reading": value}))
        if self._seen.differs("tiles", found.tiles):
            pieces.append(self._fragment("sections/tiles.html", {"tiles": found.tiles}))
        if found.calls is not None:
            if self._seen.differs("latency", found.latency):
                pieces.append(self._fragment("sections/latency.html", {"latency": found.latency}))
            if self._seen.differs("problem", found.calls.problem):
                pieces.append(self._fragment("sections/calls_problem.html", {"calls": found.calls}))
            if not found.calls.problem:
                patch.update(self._rows(found.calls.items))
        if pieces:
            patch["html"] = "".join(pieces)
        return patch

    def _rows(self, calls: tuple[CallSummary, ...]) -> dict[str, Json]:
        """Rows that are new or differ, and those that are gone; all of them the first time, in their order."""
        first = not self._calls and "rows" not in self._seen
        self._seen.differs("rows", value=True)
        gone = self._seen.drop(frozenset(_ROW + call.id for call in calls), _ROW)
        self._calls = {call.id: call for call in calls}
        changed = [call for call in calls if self._seen.differs(_ROW + call.id, call)]
        patch: dict[str, Json] = {"all": True} if first else {}
        if changed or first:
            # Apart, so that the browser can read them one by one between frames.
            patch["rows"] = [[f"call-{call.id}", self._row(call)] for call in changed]
        if gone:
            patch["gone"] = [f"call-{call_id}" for call_id in gone]
        return patch

    async def _touched(self, touched: frozenset[str]) -> dict[str, Json]:
        """Only the calls in which something happened."""
        calls, access = self._parts.calls, self.access
        if calls is None or not touched or not access.sees_calls():
            return {}
        changed = dict(self._calls)
        for call_id in touched:
            try:
                call = await calls.call(call_id)
            except OrchestratorError:
                # The next full reading says what is wrong.
                return {}
            if call is not None and call.is_open and access.sees_calls_of(call.tenant):
                changed[call_id] = call
            else:
                changed.pop(call_id, None)
        newest = sorted(changed.values(), key=lambda call: call.started_at, reverse=True)
        return self._rows(tuple(newest[: self._parts.config.max_calls]))

    def _row(self, call: CallSummary) -> str:
        return self._fragment("sections/call_row.html", {"call": call})

    def _fragment(self, template: str, values: dict[str, object]) -> str:
        return self._parts.fragment(self._request, self.access, template, values)


class _CallView:
    """What the page of one call shows."""

    def __init__(self, parts: Parts, request: Request, access: Access, call_id: str) -> None:
        self._parts = parts
        self._request = request
        self.access = access
        self._call_id = call_id
        self._seen = Seen()
        self._read_at: float | None = None

    async def patch(self, changes: Changes) -> dict[str, Json]:
        """What is to be changed on the page; empty when nothing is."""
        touched, everything = changes.take()
        now = self._parts.clock.monotonic()
        due = self._read_at is None or now - self._read_at >= self._parts.config.refresh
        if not (due or everything or self._call_id in touched):
            return {}
        self._read_at = now
        try:
            found = await transcript_of(self._parts, self.access, self._call_id)
        except CallNotShown:
            return {}
        except OrchestratorError as error:
            return {"notice": error.message}
        if not self._seen.differs("call", found):
            return {}
        return {
            "html": self._parts.fragment(self._request, self.access, "sections/transcript.html", {"transcript": found})
        }
