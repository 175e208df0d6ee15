"""Metrics for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from orchestrator_app.routers._services import GUARD, OPERATOR, Counters
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(tags=["metrics"])


@router.get(
    "/metrics",
    dependencies=[OPERATOR],
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problem_responses(*GUARD),
    },
)
async def metrics(counters: Counters) -> Response:
    """All metrics in the text format."""
    return Response(generate_latest(counters.registry), media_type=CONTENT_TYPE_LATEST)
