"""Whether requests and calls are traced, how much of it is kept, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import AnyHttpUrl, Field, SecretStr

from orchestrator_config import Settings

__all__ = ["TracingSettings"]


class TracingSettings(Settings):
    """Traces of requests, calls, their turns, and what they ask of others."""

    enabled: bool = Field(default=True, description="False traces nothing, whatever else is set.")
    endpoint: AnyHttpUrl | None = Field(
        default=None, description="An OTLP collector over HTTP, such as https://collector.example:4318."
    )
    headers: Mapping[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr], description="Sent to the collector, for example a token."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities that the collector is trusted by."
    )
    console: bool = Field(default=False, description="Write spans to standard error instead, one line of JSON each.")
    service: str = Field(default="orchestrator", min_length=1, max_length=100, description="service.name of all spans.")
    ratio: float = Field(
        default=1.0, ge=0, le=1, description="The share of traces that is kept whatever happens in them."
    )
    slow_request: float = Field(default=2.0, gt=0, le=3600, description="Seconds from which a request is always kept.")
    slow_turn: float = Field(
        default=1.5, gt=0, le=3600, description="Seconds of waiting from which a turn is always kept."
    )
    baggage_hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that are told the baggage of a request; all others get its trace only."
    )

    @property
    def active(self) -> bool:
        """Whether there is anywhere to send spans."""
        return self.enabled and (self.console or self.endpoint is not None)
