"""The audio of all calls, as it stands."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from orchestrator_app.composition.audio import Hearing
from orchestrator_app.routers._services import GUARD, Settings, given
from orchestrator_auth.fastapi_guard import requires
from orchestrator_auth.guard import PLATFORM
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(
    prefix="/performance",
    tags=["performance"],
    dependencies=[requires("performance:view", tenant=PLATFORM)],
    responses=problem_responses(*GUARD),
)


class AudioStreams(BaseModel):
    """What the media streams of this process keep in memory; nothing of it is on disk."""

    status: Literal["healthy", "degraded"] = Field(
        description="Degraded when a recognizer that is configured is missing."
    )
    reason: str
    streams: int
    most_streams: int
    refused_streams: int = Field(description="Since the process started, like the counts of frames.")
    waiting_bytes: int
    most_waiting_bytes: int = Field(description="At any time since the process started.")
    limit_bytes: int
    frames_put: int
    frames_taken: int
    frames_dropped: int
    waiting_frames_by_size: list[int] = Field(description="Of each stream, largest first; at most twenty.")
    recognizer: str
    resampling: str
    exact_ulaw: bool


@router.get("/audio-optimizer")
async def audio_optimizer(hearing: Annotated[Hearing, Depends(given(Hearing))], settings: Settings) -> AudioStreams:
    """Streams, buffers and what was lost, read from the live objects."""
    budget = hearing.audio.budget
    stats = budget.stats()
    return AudioStreams(
        status="degraded" if hearing.missing else "healthy",
        reason=hearing.missing,
        streams=stats.streams,
        most_streams=settings.audio.max_streams,
        refused_streams=stats.refused,
        waiting_bytes=stats.bytes,
        most_waiting_bytes=stats.peak,
        limit_bytes=stats.limit,
        frames_put=stats.put,
        frames_taken=stats.taken,
        frames_dropped=stats.dropped,
        waiting_frames_by_size=sorted((each.frames for each in budget.streams()), reverse=True)[:20],
        recognizer=hearing.name,
        resampling=settings.audio.resampling,
        exact_ulaw=not settings.audio.fast_ulaw,
    )
