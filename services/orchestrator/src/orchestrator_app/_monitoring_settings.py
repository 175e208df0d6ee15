"""Objectives, alerts, and who is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator

from orchestrator_config import Settings

__all__ = ["EmailSettings", "MonitoringSettings", "ThresholdSettings"]


class EmailSettings(Settings):
    """The mail server that alerts go out by."""

    host: str | None = Field(default=None, description="No mail is sent when absent.")
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr | None = None
    sender: str = Field(default="orchestrator@localhost", description="The address in From.")
    recipients: tuple[str, ...] = ()

    @field_validator("security", mode="before")
    @classmethod
    def _was_a_flag(cls, value: object) -> object:
        """Earlier it was said whether to use TLS at all."""
        flags = {"true": "starttls", "1": "starttls", "false": "none", "0": "none"}
        return flags.get(str(value).lower(), value)


class ThresholdSettings(Settings):
    """Changes to the built-in objectives and rules; they stay as they are when absent."""

    call_success: float | None = Field(default=None, gt=0, lt=100, description="Objective of call_success, per cent.")
    action_seconds: float | None = Field(default=None, gt=0, description="Of action_latency; a bucket's bound.")
    satisfaction: int | None = Field(default=None, ge=2, le=5, description="The lowest mark of a content caller.")
    cpu: float | None = Field(default=None, gt=0, lt=100, description="Per cent, of high_cpu_usage.")
    memory: float | None = Field(default=None, gt=0, lt=100, description="Per cent, of high_memory_usage.")
    error_rate: float | None = Field(default=None, gt=0, lt=100, description="Per cent, of high_call_failure_rate.")


class MonitoringSettings(Settings):
    """How the service watches itself."""

    objectives: tuple[Path, ...] = Field(
        default=(),
        description="Files of objectives, TOML or OpenSLO v1 in YAML; the built-in ones when there are none.",
    )
    alerts: Path | None = Field(
        default=None, description="A TOML file of rules, routes and receivers; the built-in rules when absent."
    )
    alerting: bool = Field(default=True, description="Whether rules are evaluated and anybody is told.")
    evaluate_seconds: float = Field(default=30.0, ge=1, le=3600, description="Between evaluations of all rules.")
    sample_seconds: float = Field(default=30.0, ge=1, le=60, description="Between looks at this process's counters.")
    prometheus_url: AnyHttpUrl | None = Field(
        default=None, description="A Prometheus server that is asked for the objectives in place of own samples."
    )
    slack_url: SecretStr | None = Field(default=None, description="An incoming webhook.")
    slack_channel: str = Field(default="", description="For webhooks that may post to several.")
    pagerduty_key: SecretStr | None = Field(default=None, description="An integration key of Events API v2.")
    pagerduty_url: AnyHttpUrl | None = Field(default=None, description="Where events go; the usual place when absent.")
    webhook_url: SecretStr | None = Field(default=None, description="An endpoint of yours.")
    webhook_secret: SecretStr | None = Field(
        default=None, description="Signs what is sent there, as Standard Webhooks (whsec_…)."
    )
    alertmanager_url: AnyHttpUrl | None = None
    heartbeats: tuple[str, ...] = Field(
        default=(), description="Receivers (webhook, alertmanager) of the dead-man's switch, a beat each minute."
    )
    email: EmailSettings = EmailSettings()
    thresholds: ThresholdSettings = ThresholdSettings()
