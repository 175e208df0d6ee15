"""All settings of the application, in one frozen model.

They come from the defaults below, an `orchestrator.toml`, and the environment (`ORCHESTRATOR_` with `__` between the levels), in that order.
With none at all the application runs on its embedded defaults: SQLite in the data folder, secrets made at first start, a local voice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from orchestrator_app._call_settings import AgentSettings, CallSettings, LiveKitSettings, SpeechSettings, TwilioSettings
from orchestrator_app._infrastructure_settings import (
    DatabaseSettings,
    LogSettings,
    ResilienceSettings,
    SecuritySettings,
    ServerSettings,
)
from orchestrator_app._tenant_settings import (
    ActionSettings,
    ArgumentSettings,
    ChatSettings,
    OpeningHoursSettings,
    TenantSettings,
)
from orchestrator_config import Settings

__all__ = [
    "OLD_NAMES",
    "PREFIX",
    "REGIONS",
    "ActionSettings",
    "AgentSettings",
    "AppSettings",
    "ArgumentSettings",
    "CallSettings",
    "ChatSettings",
    "DatabaseSettings",
    "LiveKitSettings",
    "LogSettings",
    "OpeningHoursSettings",
    "Region",
    "ResilienceSettings",
    "SecuritySettings",
    "ServerSettings",
    "SpeechSettings",
    "TenantSettings",
    "TwilioSettings",
]

PREFIX: Final = "ORCHESTRATOR_"

Region = Literal["eu-west-1", "eu-central-1", "eu-north-1", "eu-south-1", "europe-west1", "westeurope"]
REGIONS: Final[tuple[str, ...]] = (
    "eu-west-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "europe-west1",
    "westeurope",
)
"""Where personal data may be processed."""


class AppSettings(Settings):
    """The application."""

    environment: Literal["development", "staging", "production"] = "development"
    region: Region = "eu-central-1"
    data_dir: Path = Path("var")
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    livekit: LiveKitSettings = LiveKitSettings()
    twilio: TwilioSettings = TwilioSettings()
    agents: AgentSettings = AgentSettings()
    security: SecuritySettings = SecuritySettings()
    speech: SpeechSettings = SpeechSettings()
    calls: CallSettings = CallSettings()
    resilience: ResilienceSettings = ResilienceSettings()
    log: LogSettings = LogSettings()
    tenants: Mapping[str, TenantSettings] = Field(
        default_factory=dict[str, TenantSettings],
        validate_default=True,
        description="By their id; one called default when there is none.",
    )

    @field_validator("tenants")
    @classmethod
    def _at_least_one(cls, value: Mapping[str, TenantSettings]) -> Mapping[str, TenantSettings]:
        return value or {"default": TenantSettings()}

    @model_validator(mode="after")
    def _tenants_fit(self) -> Self:
        owners: dict[str, str] = {}
        for name, tenant in self.tenants.items():
            for number in tenant.numbers:
                if number in owners:
                    raise ValueError(f"tenants {owners[number]} and {name} have a number in common")
                owners[number] = name
        if self.livekit.configured and self.livekit.tenant not in self.tenants:
            raise ValueError(f"livekit.tenant {self.livekit.tenant} is no tenant; there is {', '.join(self.tenants)}")
        if self.twilio.tokens and self.twilio.tenant not in self.tenants:
            raise ValueError(f"twilio.tenant {self.twilio.tenant} is no tenant; there is {', '.join(self.tenants)}")
        return self

    @model_validator(mode="after")
    def _production_is_not_embedded(self) -> Self:
        if self.environment != "production":
            return self
        missing = [
            name
            for name, value in {
                "security.access_token": self.security.access_token,
                "security.root_key": self.security.root_key,
                "agents.secrets": self.agents.secrets or self.agents.bearer_key,
            }.items()
            if not value
        ]
        if missing:
            raise ValueError(f"production makes no secrets of its own; set {', '.join(missing)}")
        return self

    def tenant_of_number(self, number: str) -> str | None:
        """The tenant that a telephone number belongs to."""
        return next((name for name, tenant in self.tenants.items() if number in tenant.numbers), None)


OLD_NAMES: Final[Mapping[str, str]] = {
    "ENVIRONMENT": "environment",
    "REGION": "region",
    "HOST": "server.host",
    "PORT": "server.port",
    "DATABASE_URL": "database.url",
    "LIVEKIT_API_KEY": "livekit.api_key",
    "LIVEKIT_API_SECRET": "livekit.api_secret",
    "LIVEKIT_WEBHOOK_KEY": "agents.bearer_key",
    "TTS_URL": "speech.router_url",
    "TTS_ROUTER_URL": "speech.router_url",
    "VOICEHIVE_ENVIRONMENT": "environment",
    "VOICEHIVE_REGION": "region",
    "VOICEHIVE_LOG_LEVEL": "log.level",
    "VOICEHIVE_DATABASE_URL": "database.url",
}
"""Environment variables of the earlier service and the settings that they mean; each loads with a warning."""


def default_file(environment: Mapping[str, str] = os.environ) -> tuple[Path, bool]:
    """The settings file and whether it must exist: what `ORCHESTRATOR_CONFIG` names, or `orchestrator.toml` here."""
    named = environment.get(PREFIX + "CONFIG")
    return (Path(named), True) if named else (Path("orchestrator.toml"), False)
