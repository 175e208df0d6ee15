"""Who may tell of reservations: the hotel system's webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

from pydantic import Field, SecretStr, field_validator

from orchestrator_config import Settings

__all__ = ["HotelEventSettings"]


class HotelEventSettings(Settings):
    """How the hotel system proves its events; its door is closed while there is no secret."""

    secrets: Mapping[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr],
        description="Live HMAC secrets by their id, at least 16 characters; more than one while they are exchanged.",
    )
    addresses: tuple[str, ...] = Field(
        default=(), description="Addresses and networks that it sends from; any, when there is none."
    )
    remember_days: int = Field(
        default=7, ge=1, le=365, description="How long a delivery is remembered, so that its copies have no effect."
    )

    @field_validator("addresses")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each)
            except ValueError:
                raise ValueError("must be addresses such as 192.0.2.7, and networks such as 192.0.2.0/24") from None
        return value
