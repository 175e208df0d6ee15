"""Where the application listens, keeps and logs, and what it allows itself and others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, AwareDatetime, Field, SecretStr, StringConstraints, field_validator

from orchestrator_app._setting_types import Seconds
from orchestrator_config import Settings

__all__ = ["DatabaseSettings", "LogSettings", "ResilienceSettings", "SecuritySettings", "ServerSettings"]


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
    cors_origins: tuple[str, ...] = Field(
        default=(), description="Exact origins of pages that may use the API, such as https://console.example."
    )
    max_body: int = Field(default=1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="Bytes of a request's body.")
    max_json_depth: int = Field(default=32, ge=1, le=200, description="Objects and arrays within each other in a body.")
    max_json_string: int = Field(default=10_000, ge=1, description="Characters of a string in a body.")
    max_json_array: int = Field(default=1_000, ge=1, description="Elements of an array in a body.")
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


class SecuritySettings(Settings):
    """Secrets of the application itself; each is made at first start when it is not set."""

    access_token: SecretStr | None = Field(default=None, min_length=16, description="The bearer token of operators.")
    root_key: SecretStr | None = Field(
        default=None, min_length=32, description="Derives session tokens and pseudonyms."
    )
    session_seconds: Seconds = Field(default=300.0, description="How long a session token opens the media socket.")
    retired_audit_keys: Mapping[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")], AwareDatetime] = Field(
        default_factory=dict[str, datetime],
        description="Public keys that signed the audit log before the root key was changed, and since when they must not any more.",
    )
    secret_expiry: Mapping[str, AwareDatetime] = Field(
        default_factory=dict[str, datetime],
        description="From when on secrets of senders are refused, by agents:ID, hotel:ID, livekit:API_KEY or twilio:SID-0 (-1 the secondary token).",
    )


class ResilienceSettings(Settings):
    """How many requests may come in, and from whom."""

    shared_url: SecretStr | None = Field(
        default=None,
        description="redis:// or valkey://: limits and circuits that all processes share; this process's own when absent.",
    )
    rate_limits: Mapping[str, str] = Field(
        default_factory=dict[str, str],
        description='Limits by the name of their rule, such as "100/minute; 1000/hour"; they take the place of the built-in ones.',
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="Addresses and networks of proxies whose X-Forwarded-For is believed."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each)
            except ValueError:
                raise ValueError("must be addresses such as 10.0.0.7, and networks such as 10.0.0.0/8") from None
        return value


class LogSettings(Settings):
    """What is logged and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto is console in a terminal, JSON elsewhere."
    )
