"""Who sends the events of calls, who speaks, and how patient a call is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from orchestrator_app._setting_types import AccountSid, Language, Seconds
from orchestrator_config import Settings
from orchestrator_kernel.models import Identifier

__all__ = ["AgentSettings", "CallSettings", "LiveKitSettings", "SpeechSettings", "TwilioSettings"]


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


class TwilioSettings(Settings):
    """Twilio accounts whose calls are taken."""

    account_sid: AccountSid | None = None
    auth_token: SecretStr | None = None
    secondary_token: SecretStr | None = Field(
        default=None, description="The account's other auth token, while one takes the place of the other."
    )
    more_accounts: Mapping[AccountSid, SecretStr] = Field(
        default_factory=dict[str, SecretStr], description="Further accounts and their auth tokens."
    )
    tenant: Identifier = Field(default="default", description="The tenant of numbers that belong to none.")
    tts_provider: str = Field(default="", description="Twilio's name of the voice provider; its default when empty.")
    transcription_provider: str = Field(default="", description="As tts_provider, for recognition.")
    voices: Mapping[Language, str] = Field(
        default_factory=dict[str, str], description="The provider's voice by language."
    )
    dial_seconds: int = Field(default=20, ge=5, le=600, description="How long a transfer may ring.")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.account_sid is None) != (self.auth_token is None):
            raise ValueError("account_sid and auth_token belong together")
        if self.secondary_token is not None and self.account_sid is None:
            raise ValueError("secondary_token belongs to account_sid and auth_token")
        return self

    @property
    def tokens(self) -> Mapping[str, tuple[SecretStr, ...]]:
        """The live auth tokens by account."""
        found: dict[str, tuple[SecretStr, ...]] = {account: (token,) for account, token in self.more_accounts.items()}
        if self.account_sid is not None and self.auth_token is not None:
            second = (self.secondary_token,) if self.secondary_token is not None else ()
            found[self.account_sid] = (self.auth_token, *second)
        return found


class AgentSettings(Settings):
    """How media agents prove their events."""

    secrets: Mapping[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr],
        description="Live HMAC secrets by their id, at least 16 characters; one is made at first start when there is none.",
    )
    bearer_key: SecretStr | None = Field(
        default=None, description="The static key of earlier agents; off unless it is set."
    )


class SpeechSettings(Settings):
    """The voices, tried in this order within a turn."""

    backends: tuple[Literal["embedded", "openai", "elevenlabs", "router"], ...] = ("embedded",)
    first_audio_seconds: Seconds = Field(
        default=1.5, description="Then the next voice speaks; a caller is to wait no longer than 3 s for both."
    )
    embedded_processes: int = Field(default=2, ge=1, le=64)
    openai_url: AnyHttpUrl = AnyHttpUrl("https://api.openai.com")
    openai_key: SecretStr | None = None
    openai_model: str = "gpt-4o-mini-tts"
    openai_voice: str = "alloy"
    elevenlabs_url: AnyHttpUrl = AnyHttpUrl("https://api.elevenlabs.io")
    elevenlabs_key: SecretStr | None = None
    elevenlabs_model: str = "eleven_flash_v2_5"
    elevenlabs_voice: str = Field(default="", description="The id of a voice, for tenants that name none.")
    elevenlabs_language: bool = Field(default=True, description="Tell it the language; some models refuse to be told.")
    router_url: AnyHttpUrl | None = None

    @model_validator(mode="after")
    def _named_backends_are_set(self) -> Self:
        if "openai" in self.backends and self.openai_key is None:
            raise ValueError("openai_key is needed for the backend openai")
        if "elevenlabs" in self.backends and (self.elevenlabs_key is None or not self.elevenlabs_voice):
            raise ValueError("elevenlabs_key and elevenlabs_voice are needed for the backend elevenlabs")
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
    lease: float = Field(
        default=1.0,
        ge=0.2,
        le=60,
        description="With PostgreSQL: after so long without a sign of life, the others take a process's calls over.",
    )
    max_calls: int = Field(default=2000, ge=1)
    max_waiting: int = Field(default=64, ge=4)
