"""Who may send events, from the settings."""

from __future__ import annotations

from typing import Final

from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_app.composition.secrets_expiry import STATIC_KEY, sender_secret
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.ports import Clock, WebhookRefused, WebhookRequest, WebhookSender, WebhookVerifier
from orchestrator_security.webhook_security import (
    BearerVerifier,
    HmacScheme,
    HmacVerifier,
    LiveKitVerifier,
    any_of,
)

__all__ = ["AGENT_SCHEME", "NobodyVerifier", "agent_verifier", "livekit_verifier"]

AGENT_SCHEME: Final = HmacScheme(
    signature_header="X-Orchestrator-Signature",
    timestamp_header="X-Orchestrator-Timestamp",
    prefix="sha256=",
)
"""How media agents sign: hex HMAC-SHA256 over `timestamp.body`."""


class NobodyVerifier:
    """Refuses everyone: the door exists, and nobody has a key to it."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def verify(self, request: WebhookRequest) -> WebhookSender:  # noqa: ARG002 - the port's signature
        raise WebhookRefused(self._reason)


def livekit_verifier(settings: AppSettings, clock: Clock) -> WebhookVerifier:
    """Verifies LiveKit's webhooks under every configured API key."""
    keys = dict(settings.livekit.more_keys)
    if settings.livekit.api_key is not None and settings.livekit.api_secret is not None:
        keys[settings.livekit.api_key] = settings.livekit.api_secret
    if not keys:
        return NobodyVerifier("no LiveKit API key is configured")
    return LiveKitVerifier(
        {api_key: [sender_secret(settings, "livekit", api_key, secret)] for api_key, secret in keys.items()},
        clock=clock,
        max_body=settings.server.max_body,
    )


def agent_verifier(settings: AppSettings, secrets: AppSecrets, clock: Clock) -> WebhookVerifier:
    """Verifies media agents: by HMAC, or by the static key of earlier agents where one is set."""
    doors: list[WebhookVerifier] = []
    if secrets.agents:
        ring = [sender_secret(settings, "agents", name, secret) for name, secret in secrets.agents.items()]
        doors.append(HmacVerifier(AGENT_SCHEME, ring, clock=clock, source="agent", max_body=settings.server.max_body))
    if settings.agents.bearer_key is not None:
        old = [sender_secret(settings, "agents", STATIC_KEY, settings.agents.bearer_key)]
        doors.append(BearerVerifier(old, clock=clock, source="agent", max_body=settings.server.max_body))
    if not doors:
        return NobodyVerifier("no agent secret is configured")
    return any_of(doors)
