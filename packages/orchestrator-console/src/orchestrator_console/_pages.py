"""The pages: overview, one call, test call."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from orchestrator_console._access import Access
from orchestrator_console._board import Latency, Tile, latency_of
from orchestrator_console._parts import Parts
from orchestrator_console._readings import Reading, read
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports.operations import CallSummary, CallTranscript, TrialLine

__all__ = ["CallNotShown", "Overview", "Pages"]


class CallNotShown(ValidationError):
    """There is no such call, or not for this viewer; nobody can tell which."""

    default_code = "unknown_call"
    default_status = 404


class Overview:
    """The overview for one viewer at one moment."""

    def __init__(
        self, parts: Parts, calls: Reading[CallSummary] | None, named: dict[str, object], tiles: tuple[Tile, ...]
    ) -> None:
        self.calls = calls
        self.named = named
        self.tiles = tiles
        self.latency: Latency | None = None if calls is None else latency_of(calls, parts.config)

    @classmethod
    async def of(cls, parts: Parts, access: Access) -> Overview:
        """Read all that there is for them."""
        calls = await parts.board.open_calls(access) if parts.board.shows_calls(access) else None
        sections = await parts.board.sections(access)
        return cls(parts, calls, sections.named(), parts.board.tiles(calls, sections))


class Pages:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def overview(self, request: Request) -> Response:
        """All at a glance."""
        access = await self._parts.access(request)
        found = await Overview.of(self._parts, access)
        return self._parts.page(request, access, "overview.html", {"found": found})

    async def call(self, request: Request) -> Response:
        """One call."""
        access = await self._parts.access(request)
        transcript = await transcript_of(self._parts, access, request.path_params["call_id"])
        return self._parts.page(request, access, "call.html", {"transcript": transcript})

    async def test_call(self, request: Request) -> Response:
        """Where one calls oneself."""
        access = await self._parts.access(request)
        lines = await self._lines(access)
        return self._parts.page(request, access, "test_call.html", {"lines": lines})

    async def _lines(self, access: Access) -> Reading[TrialLine]:
        trial_calls = self._parts.trial_calls
        if trial_calls is None:
            return Reading()
        found = await read(trial_calls.lines, self._parts.config.read_limit)
        return Reading(tuple(each for each in found.items if access.may_call(each.tenant)), found.problem)


async def transcript_of(parts: Parts, access: Access, call_id: str) -> CallTranscript:
    """The call.

    Raises:
        CallNotShown: There is none that they may see.
    """
    found = None if parts.calls is None else await parts.calls.transcript(call_id)
    if found is None or not access.sees_calls_of(found.call.tenant):
        raise CallNotShown("There is no such call.")
    return found
