"""All settings of the application, in one frozen model.

They come from the defaults below, an `orchestrator.toml`, and the environment (`ORCHESTRATOR_` with `__` between the levels), in that order.
With none at all the application runs on its embedded defaults: SQLite in the data folder, secrets made at first start, a local voice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AnyHttpUrl, Field, SecretStr, StringConstraints, field_validator, model_validator

from orchestrator_config import Settings
from orchestrator_kernel.models import Identifier

__all__ = [
    "OLD_NAMES",
    "PREFIX",
    "REGIONS",
    "AppSettings",
    "CallSettings",
    "DatabaseSettings",
    "LiveKitSettings",
    "LogSettings",
    "SecuritySettings",
    "ServerSettings",
    "SpeechSettings",
    "TenantSettings",
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

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class ServerSettings(Settings):
    """Where the application listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: AnyHttpUrl | None = Field(
        default=None, description="How clients reach it, where that is not host and port."
    )
    trusted_hosts: tuple[str, ...] = Field(
        default=("localhost", "127.0.0.1", "[::1]"),
        description="The hosts that requests may name, besides host and that of public_url.",
    )
    max_body: int = Field(default=1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="Bytes of a request's body.")
    drain_seconds: float = Field(
        default=30.0, ge=0, le=3600, description="How long running calls get when the process ends."
    )

    @property
    def known_hosts(self) -> frozenset[str]:
        """Every host under which the service may be asked, in the form of a `Host` header without port."""
        public = self.public_url.host if self.public_url else None
        own = f"[{self.host}]" if ":" in self.host else self.host
        return frozenset(host for host in (*self.trusted_hosts, own, public) if host)


class DatabaseSettings(Settings):
    """Where the journal is kept; by default an SQLite file in the data folder."""

    url: SecretStr | None = None
    keys_url: SecretStr | None = Field(default=None, description="A database of its own for the keys of personal data.")

    @field_validator("url", "keys_url")
    @classmethod
    def _with_async_driver(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        scheme, found, rest = value.get_secret_value().partition("://")
        driver = {
            "postgresql": "postgresql+asyncpg",
            "postgres": "postgresql+asyncpg",
            "postgresql+asyncpg": "postgresql+asyncpg",
            "sqlite": "sqlite+aiosqlite",
            "sqlite+aiosqlite": "sqlite+aiosqlite",
        }.get(scheme)
        if driver is None or not found:
            raise ValueError("must be a URL of postgresql:// or sqlite:///")
        if driver.startswith("postgresql"):
            # What every other tool calls sslmode, asyncpg calls ssl.
            rest = re.sub(r"([?&])sslmode=", r"\1ssl=", rest)
        return SecretStr(f"{driver}://{rest}")


class LiveKitSettings(Settings):
    """LiveKit servers whose webhooks are accepted."""

    api_key: Identifier | None = None
    api_secret: SecretStr | None = None
    more_keys: Mapping[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr], description="Further API keys and their secrets."
    )
    tenant: Identifier = Field(default="default", description="The tenant of rooms that tell no number.")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.api_key is None) != (self.api_secret is None):
            raise ValueError("api_key and api_secret belong together")
        return self

    @property
    def configured(self) -> bool:
        """Whether there is a key that a webhook could be signed with."""
        return self.api_key is not None or bool(self.more_keys)


class AgentSettings(Settings):
    """How media agents prove their events."""

    secrets: Mapping[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr],
        description="Live HMAC secrets by their id, at least 16 characters; one is made at first start when there is none.",
    )
    bearer_key: SecretStr | None = Field(
        default=None, description="The static key of earlier agents; off unless it is set."
    )


class SecuritySettings(Settings):
    """Secrets of the application itself; each is made at first start when it is not set."""

    access_token: SecretStr | None = Field(default=None, min_length=16, description="The bearer token of operators.")
    root_key: SecretStr | None = Field(
        default=None, min_length=32, description="Derives session tokens and pseudonyms."
    )
    session_seconds: Seconds = Field(default=300.0, description="How long a session token opens the media socket.")


class SpeechSettings(Settings):
    """The voices, tried in this order within a turn."""

    backends: tuple[Literal["embedded", "openai", "router"], ...] = ("embedded",)
    first_audio_seconds: Seconds = 2.0
    embedded_processes: int = Field(default=2, ge=1, le=64)
    openai_url: AnyHttpUrl = AnyHttpUrl("https://api.openai.com")
    openai_key: SecretStr | None = None
    openai_model: str = "gpt-4o-mini-tts"
    openai_voice: str = "alloy"
    router_url: AnyHttpUrl | None = None

    @model_validator(mode="after")
    def _named_backends_are_set(self) -> Self:
        if "openai" in self.backends and self.openai_key is None:
            raise ValueError("openai_key is needed for the backend openai")
        if "router" in self.backends and self.router_url is None:
            raise ValueError("router_url is needed for the backend router")
        return self


class CallSettings(Settings):
    """How patient calls are; times in seconds."""

    silence: Seconds = 8.0
    max_duration: Seconds = 7200.0
    idle: Seconds = 900.0
    answer_timeout: Seconds = 10.0
    reorder_window: float = Field(default=0.3, ge=0, le=5)
    max_calls: int = Field(default=2000, ge=1)
    max_waiting: int = Field(default=64, ge=4)


class LogSettings(Settings):
    """What is logged and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto is console in a terminal, JSON elsewhere."
    )


class TenantSettings(Settings):
    """One tenant."""

    name: str = ""
    numbers: tuple[Number, ...] = Field(default=(), description="Its telephone numbers, E.164.")
    languages: tuple[Language, ...] = Field(default=("en-US",), min_length=1, description="The first is spoken first.")
    time_zone: str = Field(
        default="UTC", description='IANA name, for example Europe/Berlin: where "tomorrow" is meant.'
    )
    script: Path | None = Field(default=None, description="A dialogue script; the receptionist's when absent.")
    values: Mapping[str, time | str] = Field(
        default_factory=dict[str, time | str], description="Replace entries of the script's [values]."
    )
    voices: Mapping[str, str] = Field(default_factory=dict[str, str], description="The voice by language.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone that this machine knows; on a bare one, install tzdata") from None
        return value


class AppSettings(Settings):
    """The application."""

    environment: Literal["development", "staging", "production"] = "development"
    region: Region = "eu-central-1"
    data_dir: Path = Path("var")
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    livekit: LiveKitSettings = LiveKitSettings()
    agents: AgentSettings = AgentSettings()
    security: SecuritySettings = SecuritySettings()
    speech: SpeechSettings = SpeechSettings()
    calls: CallSettings = CallSettings()
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
