"""Proving who sent a webhook.

What the user types:

    verifier = HmacVerifier(HmacScheme(prefix="sha256="), [WebhookSecret("2026-01", SecretStr(...))], clock=SystemClock())
    sender = verifier.verify(WebhookRequest(method="POST", url=..., headers=..., body=raw))

Every verifier is the kernel's `WebhookVerifier`: pure, synchronous, without I/O. It looks at the raw body only, refuses a body over
its limit before hashing it (413), compares in constant time over all of its secrets, and raises nothing but `WebhookRefused`. A
valid request can be sent again within the time window; `delivery_store` tells the first copy from the second.
"""

from orchestrator_security._webhooks.addresses import AddressRule, TrustedProxies
from orchestrator_security._webhooks.any_of import any_of
from orchestrator_security._webhooks.bearer import BearerVerifier
from orchestrator_security._webhooks.github import GITHUB, GitHubVerifier
from orchestrator_security._webhooks.hmac_scheme import HmacScheme, HmacVerifier
from orchestrator_security._webhooks.limits import DEFAULT_MAX_BODY, DEFAULT_TOLERANCE
from orchestrator_security._webhooks.livekit import LiveKitVerifier
from orchestrator_security._webhooks.public_key_ring import WebhookPrivateKey, WebhookPublicKey
from orchestrator_security._webhooks.secret_ring import WebhookSecret
from orchestrator_security._webhooks.standard import StandardWebhooksSigner, StandardWebhooksVerifier
from orchestrator_security._webhooks.stripe import StripeVerifier
from orchestrator_security._webhooks.telnyx import TelnyxVerifier
from orchestrator_security._webhooks.twilio import TwilioVerifier

__all__ = [
    "DEFAULT_MAX_BODY",
    "DEFAULT_TOLERANCE",
    "GITHUB",
    "AddressRule",
    "BearerVerifier",
    "GitHubVerifier",
    "HmacScheme",
    "HmacVerifier",
    "LiveKitVerifier",
    "StandardWebhooksSigner",
    "StandardWebhooksVerifier",
    "StripeVerifier",
    "TelnyxVerifier",
    "TrustedProxies",
    "TwilioVerifier",
    "WebhookPrivateKey",
    "WebhookPublicKey",
    "WebhookSecret",
    "any_of",
]
