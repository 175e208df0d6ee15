"""Where metrics are scraped, and what is paid for."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from orchestrator_config import Settings
from orchestrator_monitoring.business_metrics import Price, Prices

__all__ = ["MetricsSettings", "PriceSettings"]


class PriceSettings(Settings):
    """What a unit costs."""

    amount: float = Field(ge=0, allow_inf_nan=False, description="Of money, for `per` units.")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")
    per: float = Field(default=1_000_000, gt=0, allow_inf_nan=False, description="Units.")


class MetricsSettings(Settings):
    """How metrics leave the process."""

    enabled: bool = Field(default=True, description="Whether they are scraped at all; they are counted in any case.")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="A port of its own that serves metrics and health to whoever reaches it; none when absent.",
    )
    host: str = Field(default="127.0.0.1", description="Where that port listens.")
    path: str = Field(default="/metrics", pattern=r"^/[A-Za-z0-9/_.-]*$", description="Where that port is scraped.")
    folder: Path | None = Field(
        default=None,
        description="A folder in memory, the same for all processes that share a port: each answers for all. Absent: each for itself.",
    )
    speech_price: PriceSettings | None = Field(default=None, description="Of characters that voices speak.")
    prompt_price: PriceSettings | None = Field(default=None, description="Of tokens that models are given.")
    completion_price: PriceSettings | None = Field(default=None, description="Of tokens that models write.")

    @property
    def prices(self) -> Prices:
        """For the cost counters."""
        return Prices(
            speech=_price(self.speech_price), prompt=_price(self.prompt_price), completion=_price(self.completion_price)
        )


def _price(settings: PriceSettings | None) -> Price | None:
    return None if settings is None else Price(settings.amount, settings.currency, settings.per)
