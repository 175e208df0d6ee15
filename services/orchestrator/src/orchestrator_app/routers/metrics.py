"""Metrics for Prometheus."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Response

from orchestrator_app.routers._services import GUARD, MONITOR, Counters, Settings
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_utils.error_handler import problem_responses

__all__ = ["MetricsOff", "router", "scraped"]

router = APIRouter(tags=["metrics"])

_TEXT = {"schema": {"type": "string"}}
SCRAPED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": _TEXT, "application/openmetrics-text": _TEXT}}
}


class MetricsOff(ValidationError):
    """Metrics are not scraped here."""

    default_code = "metrics_off"
    default_status = 404


@router.get(
    "/metrics",
    dependencies=[MONITOR],
    response_class=Response,
    responses={**SCRAPED, **problem_responses(*GUARD, MetricsOff)},
)
async def metrics(
    counters: Counters, settings: Settings, accept: Annotated[str, Header(include_in_schema=False)] = ""
) -> Response:
    """All metrics: OpenMetrics with exemplars for who asks for it, or else the text format."""
    return await scraped(counters, settings, accept)


async def scraped(counters: Counters, settings: Settings, accept: str) -> Response:
    """The answer to a scrape.

    Raises:
        MetricsOff: The settings say so.
    """
    if not settings.metrics.enabled:
        raise MetricsOff("Metrics are off: the setting metrics.enabled is false.")
    scrape = await counters.counted.scrape_aside(accept)
    return Response(scrape.body, media_type=scrape.content_type, headers={"vary": "accept"})
