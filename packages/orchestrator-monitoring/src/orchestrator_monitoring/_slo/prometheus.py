"""Asking a Prometheus server (extra `[http]`): its HTTP API, and the same figures as from our own samples.

Queries are made of selectors, whose label values are quoted when they are written: a tenant's name can never become a part of the query.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from orchestrator_kernel.exceptions import ExternalServiceError
from orchestrator_monitoring._slo.indicators import Counted, Counts
from orchestrator_monitoring._slo.maintenance import Maintenance
from orchestrator_monitoring._slo.objectives import HOUR, Slo
from orchestrator_monitoring._slo.rules import increase_query
from orchestrator_monitoring._slo.selectors import Selector

if TYPE_CHECKING:
    import httpx

__all__ = ["PrometheusClient", "PrometheusCounts", "PrometheusFailed", "Series"]

_MOST_BYTES: Final = 16_000_000
_SERVICE: Final = "prometheus"


class PrometheusFailed(ExternalServiceError):
    """Prometheus cannot be reached, refused the query, or answered nonsense."""

    default_code = "prometheus_failed"


@dataclass(frozen=True, slots=True)
class Series:
    """A series of an answer: its labels, and instants (Unix seconds) with values."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class PrometheusClient:
    """The query API of a Prometheus server, or of one that speaks like it."""

    def __init__(self, http: httpx.AsyncClient, *, limit: float = 10.0) -> None:
        """Use an HTTP client.

        Args:
            http: Its base URL is the server's; the caller closes it.
            limit: Seconds for a whole query.
        """
        self._http = http
        self._limit = limit

    async def query(self, query: Selector | str, at: float | None = None) -> list[Series]:
        """The value of every series at one instant, or now.

        Args:
            query: A selector; a text only if it holds nothing from outside.
            at: Unix seconds.

        Raises:
            PrometheusFailed: It did not work; `retryable` tells whether it may later.
        """
        values = {"query": str(query)}
        if at is not None:
            values["time"] = f"{at:.3f}"
        return _series(await self._ask("query", values), "value")

    async def query_range(self, query: Selector | str, *, start: float, end: float, step: float) -> list[Series]:
        """The values of every series between two instants, one per `step` seconds.

        Raises:
            PrometheusFailed: As `query`.
        """
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        return _series(await self._ask("query_range", {"query": str(query), **times}), "values")

    async def _ask(self, path: str, values: Mapping[str, str]) -> object:
        from orchestrator_kernel.http import deadline, http_errors, read_limited  # noqa: PLC0415 - only with the extra

        async with deadline(self._limit, _SERVICE, kind=PrometheusFailed):
            with http_errors(_SERVICE, kind=PrometheusFailed):
                async with self._http.stream("POST", f"/api/v1/{path}", data=dict(values)) as response:
                    body = await read_limited(response, _MOST_BYTES, _SERVICE, kind=PrometheusFailed)
        return _answer(response.status_code, body)


def _answer(status: int, body: bytes) -> object:
    """What an answer holds: errors come as JSON too, with a status of 4xx or 503."""
    import json  # noqa: PLC0415 - loaded with httpx anyway

    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    answer = cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}
    if answer.get("status") != "success":
        kind = answer.get("errorType")
        raise PrometheusFailed(
            f"Prometheus answered {status}{f' ({kind})' if isinstance(kind, str) else ''}",
            details={"upstream_status": status},
            retryable=status == 429 or status >= 500,
        )
    return answer.get("data")


def _series(data: object, member: str) -> list[Series]:
    try:
        found = cast("list[dict[str, dict[str, str]]]", cast("dict[str, object]", data)["result"])
        series: list[Series] = []
        for each in found:
            points = cast("list[tuple[float, str]]", each[member] if member == "values" else [each[member]])
            series.append(Series(each["metric"], tuple((float(at), float(value)) for at, value in points)))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PrometheusFailed("Prometheus answered something else than series", retryable=False) from None
    return series


class PrometheusCounts:
    """A `CountsSource` that asks Prometheus; needs no rules there."""

    def __init__(self, client: PrometheusClient, maintenance: Sequence[Maintenance] = ()) -> None:
        self._client = client
        self._maintenance = maintenance

    async def counts(self, slos: Sequence[Counted], at: float) -> Mapping[str, Mapping[int, Counts]]:
        found: dict[str, dict[int, Counts]] = {}
        for slo in slos:
            ratio, off = slo.indicator.ratio, [each for each in self._maintenance if each.covers(slo.name)]
            found[slo.name] = {
                seconds: Counts(
                    await self._sum(increase_query(ratio.part, seconds, off), at),
                    await self._sum(increase_query(ratio.total, seconds, off), at),
                )
                for seconds in slo.windows
            }
        return found

    async def _sum(self, query: str, at: float) -> float:
        series = await self._client.query(query, at)
        value = sum(point for each in series for _, point in each.points)
        return value if math.isfinite(value) else 0.0

    async def hours(self, slo: Slo, at: float) -> Sequence[Counts]:
        ratio, off = slo.indicator.ratio, [each for each in self._maintenance if each.covers(slo.name)]
        start, known = at - slo.window + HOUR, dict[float, list[float]]()
        for index, selector in enumerate((ratio.part, ratio.total)):
            query = increase_query(selector, HOUR, off)
            for each in await self._client.query_range(query, start=start, end=at, step=HOUR):
                for instant, value in each.points:
                    known.setdefault(instant, [0.0, 0.0])[index] += value if math.isfinite(value) else 0.0
        return [Counts(*known[instant]) for instant in sorted(known)]
