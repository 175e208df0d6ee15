"""Which Twilio accounts are known, and what they are told to do with a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from orchestrator_app.composition.secrets_expiry import sender_secret, twilio_secret_id
from orchestrator_app.composition.webhooks import NobodyVerifier
from orchestrator_app.settings import AppSettings, TenantSettings
from orchestrator_calls.legs.twilio import RelayTwiml, is_number
from orchestrator_calls.legs.twilio_media import StreamTwiml
from orchestrator_kernel.ports import Clock, WebhookVerifier
from orchestrator_security.webhook_security import TwilioVerifier, any_of

__all__ = ["PREFIX", "TwilioDoor", "TwilioPlan", "twilio_verifier"]

PREFIX: Final = "/v1/twilio"


@dataclass(frozen=True, slots=True)
class TwilioDoor:
    """Who verifies Twilio; the proved sender's `source` is the account's SID."""

    verifier: WebhookVerifier


def twilio_verifier(settings: AppSettings, clock: Clock) -> WebhookVerifier:
    """Verifies Twilio's requests under every configured account."""
    accounts = [
        TwilioVerifier(
            [
                sender_secret(settings, "twilio", twilio_secret_id(account, number), token)
                for number, token in enumerate(tokens)
            ],
            clock=clock,
            source=account,
            max_body=settings.server.max_body,
        )
        for account, tokens in settings.twilio.tokens.items()
    ]
    return any_of(accounts) if accounts else NobodyVerifier("no Twilio account is configured")


@dataclass(frozen=True, slots=True)
class TwilioPlan:
    """Where Twilio goes next, as absolute URLs.

    Attributes:
        base: Scheme and host as Twilio knows them, without a slash at the end.
    """

    settings: AppSettings
    base: str

    def relay(self, tenant: TenantSettings, attempt: int = 1) -> RelayTwiml:
        """How to connect the call to the relay; `attempt` counts the sessions that broke one after the other."""
        twilio = self.settings.twilio
        return RelayTwiml(
            url=f"{self.base.replace('http', 'ws', 1)}{PREFIX}/relay",
            action=self.url("relay/ended", attempt=str(attempt)),
            languages={tag: twilio.voices.get(tag, "") for tag in tenant.languages},
            tts_provider=twilio.tts_provider,
            transcription_provider=twilio.transcription_provider,
        )

    def stream(self, attempt: int = 1, **parameters: str) -> StreamTwiml:
        """How to connect the call to a media stream; the parameters are told at its start."""
        return StreamTwiml(
            url=f"{self.base.replace('http', 'ws', 1)}{PREFIX}/stream",
            action=self.url("stream/ended", attempt=str(attempt)),
            parameters={name: value for name, value in parameters.items() if value},
        )

    def url(self, path: str, **query: str) -> str:
        """One of our routes for Twilio; all of the URL is signed, the query too."""
        return f"{self.base}{PREFIX}/{path}" + (f"?{urlencode(query)}" if query else "")

    @staticmethod
    def number(tenant: TenantSettings, target: str) -> str | None:
        """Whom to dial for a transfer; None where the tenant knows nobody of this name."""
        return tenant.transfers.get(target) or (target if is_number(target) else None)
