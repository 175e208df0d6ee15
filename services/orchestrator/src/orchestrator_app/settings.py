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

from orchestrator_app._audio_settings import AudioSettings, HearingSettings
from orchestrator_app._auth_settings import AuthSettings, VaultSettings
from orchestrator_app._call_settings import AgentSettings, CallSettings, LiveKitSettings, SpeechSettings, TwilioSettings
from orchestrator_app._hotel_settings import HotelEventSettings
from orchestrator_app._infrastructure_settings import (
    DatabaseSettings,
    LogSettings,
    ResilienceSettings,
    SecuritySettings,
    ServerSettings,
)
from orchestrator_app._metrics_settings import MetricsSettings
from orchestrator_app._monitoring_settings import MonitoringSettings
from orchestrator_app._performance_settings import PerformanceSettings
from orchestrator_app._tenant_settings import (
    ActionSettings,
    ArgumentSettings,
    ChatSettings,
    OpeningHoursSettings,
    TenantSettings,
)
from orchestrator_app._tracing_settings import TracingSettings
from orchestrator_config import Settings

__all__ = [
    "OLD_NAMES",
    "PREFIX",
    "REGIONS",
    "ActionSettings",
    "AgentSettings",
    "AppSettings",
    "ArgumentSettings",
    "AudioSettings",
    "AuthSettings",
    "CallSettings",
    "ChatSettings",
    "DatabaseSettings",
    "HearingSettings",
    "HotelEventSettings",
    "LiveKitSettings",
    "LogSettings",
    "MetricsSettings",
    "MonitoringSettings",
    "OpeningHoursSettings",
    "PerformanceSettings",
    "Region",
    "ResilienceSettings",
    "SecuritySettings",
    "ServerSettings",
    "SpeechSettings",
    "TenantSettings",
    "TracingSettings",
    "TwilioSettings",
    "VaultSettings",
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
    hotel_events: HotelEventSettings = HotelEventSettings()
    security: SecuritySettings = SecuritySettings()
    auth: AuthSettings = AuthSettings()
    vault: VaultSettings = VaultSettings()
    speech: SpeechSettings = SpeechSettings()
    hearing: HearingSettings = HearingSettings()
    audio: AudioSettings = AudioSettings()
    calls: CallSettings = CallSettings()
    resilience: ResilienceSettings = ResilienceSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    metrics: MetricsSettings = MetricsSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    performance: PerformanceSettings = PerformanceSettings()
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
        deaf = [name for name, tenant in self.tenants.items() if tenant.line == "stream"]
        if deaf and self.hearing.backend == "none":
            raise ValueError(
                f'nobody would hear the callers of {", ".join(deaf)}: line = "stream" needs hearing.backend'
            )
        return self

    @model_validator(mode="after")
    def _production_is_not_embedded(self) -> Self:
        if self.environment != "production":
            return self
        missing = [
            name
            for name, value in {
                "security.access_token": self.security.access_token or not self.auth.access_token,
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
    "APALEO_WEBHOOK_SECRET": "hotel_events.secrets.earlier",
    "VALIDATION_MAX_STRING_LENGTH": "server.max_json_string",
    "VALIDATION_MAX_ARRAY_LENGTH": "server.max_json_array",
    "VALIDATION_MAX_OBJECT_DEPTH": "server.max_json_depth",
    "VOICEHIVE_SECURITY__WEBHOOK_SIGNATURE_SECRET": "agents.secrets.earlier",
    "VOICEHIVE_SECURITY__CORS_ALLOWED_ORIGINS": "server.cors_origins",
    "VOICEHIVE_AUTH__JWT_ALGORITHM": "auth.algorithm",
    "VOICEHIVE_AUTH__JWT_EXPIRATION_MINUTES": "auth.access_minutes",
    "VOICEHIVE_AUTH__REFRESH_TOKEN_EXPIRATION_DAYS": "auth.refresh_days",
    "VOICEHIVE_AUTH__MAX_LOGIN_ATTEMPTS": "auth.free_attempts",
    "VOICEHIVE_AUTH__LOCKOUT_DURATION_MINUTES": "auth.longest_wait_minutes",
    "VOICEHIVE_SECURITY__SESSION_TIMEOUT_MINUTES": "auth.browser_idle_minutes",
    "VOICEHIVE_EXTERNAL_SERVICES__VAULT_URL": "vault.url",
    "VAULT_URL": "vault.url",
    "VAULT_TOKEN": "vault.token",
    "VAULT_ROLE_ID": "vault.role_id",
    "VAULT_SECRET_ID": "vault.secret_id",
    "VAULT_NAMESPACE": "vault.namespace",
    "VAULT_API_KEYS_PATH": "vault.api_keys_path",
    "VAULT_K8S_ROLE": "vault.kubernetes_role",
    "REDIS_URL": "performance.cache_url",
    "REDIS_POOL_MAX_CONNECTIONS": "performance.cache_connections",
    "VOICEHIVE_REDIS__POOL_SIZE": "performance.cache_connections",
    "DB_POOL_MIN_SIZE": "performance.warm_connections",
    "DB_POOL_MAX_SIZE": "performance.database_connections",
    "HTTP_POOL_MAX_CONNECTIONS": "performance.http_connections",
    "MAX_MEMORY_MB": "performance.memory_mb",
    "PERF_MEMORY_THRESHOLD_MB": "performance.memory_mb",
    "PERF_CPU_THRESHOLD": "performance.cpu_percent",
    "PERF_SYSTEM_INTERVAL": "performance.interval",
    "PERF_ALERTING_ENABLED": "performance.alerting",
    "CACHE_MEMORY_MAX_SIZE": "performance.cache_items",
    "CACHE_MEMORY_MAX_BYTES": "performance.cache_bytes",
    "CACHE_DEFAULT_TTL": "performance.cache_seconds",
    "AUDIO_BUFFER_MAX_SIZE_MB": "audio.buffer_mb",
    "ASR_URL": "hearing.openai_url",
    "VOICEHIVE_EXTERNAL_SERVICES__ASR_TIMEOUT": "hearing.timeout",
    "TTS_URL": "speech.router_url",
    "TTS_ROUTER_URL": "speech.router_url",
    "TRACING_ENABLED": "tracing.enabled",
    "OTLP_ENDPOINT": "tracing.endpoint",
    "TRACE_SAMPLE_RATE": "tracing.ratio",
    "VOICEHIVE_SERVICE_NAME": "tracing.service",
    "VOICEHIVE_ENVIRONMENT": "environment",
    "VOICEHIVE_REGION": "region",
    "VOICEHIVE_LOG_LEVEL": "log.level",
    "VOICEHIVE_DATABASE_URL": "database.url",
    "ALERTING_ENABLED": "monitoring.alerting",
    "ALERT_EVALUATION_INTERVAL": "monitoring.evaluate_seconds",
    "PROMETHEUS_URL": "monitoring.prometheus_url",
    "SLACK_WEBHOOK_URL": "monitoring.slack_url",
    "SLACK_CHANNEL": "monitoring.slack_channel",
    "PAGERDUTY_INTEGRATION_KEY": "monitoring.pagerduty_key",
    "MONITORING_WEBHOOK_URL": "monitoring.webhook_url",
    "VOICEHIVE_EMAIL__SMTP_HOST": "monitoring.email.host",
    "VOICEHIVE_EMAIL__SMTP_PORT": "monitoring.email.port",
    "VOICEHIVE_EMAIL__SMTP_USER": "monitoring.email.user",
    "VOICEHIVE_EMAIL__SMTP_PASSWORD": "monitoring.email.password",
    "VOICEHIVE_EMAIL__FROM": "monitoring.email.sender",
    "VOICEHIVE_EMAIL__TLS": "monitoring.email.security",
    "VOICEHIVE_EMAIL__RECIPIENTS": "monitoring.email.recipients",
    "CALL_SUCCESS_RATE_THRESHOLD": "monitoring.thresholds.call_success",
    "PMS_RESPONSE_TIME_THRESHOLD": "monitoring.thresholds.action_seconds",
    "GUEST_SATISFACTION_THRESHOLD": "monitoring.thresholds.satisfaction",
    "CPU_USAGE_THRESHOLD": "monitoring.thresholds.cpu",
    "MEMORY_USAGE_THRESHOLD": "monitoring.thresholds.memory",
    "ERROR_RATE_THRESHOLD": "monitoring.thresholds.error_rate",
    "METRICS_ENABLED": "metrics.enabled",
    "METRICS_PORT": "metrics.port",
    "METRICS_PATH": "metrics.path",
}
"""Environment variables of the earlier service and the settings that they mean; each loads with a warning."""


def default_file(environment: Mapping[str, str] = os.environ) -> tuple[Path, bool]:
    """The settings file and whether it must exist: what `ORCHESTRATOR_CONFIG` names, or `orchestrator.toml` here."""
    named = environment.get(PREFIX + "CONFIG")
    return (Path(named), True) if named else (Path("orchestrator.toml"), False)
