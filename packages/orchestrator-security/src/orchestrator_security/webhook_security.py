"""Proving who sent a webhook.

What the user types:

    verifier = HmacVerifier(HmacScheme(prefix="sha256="), [WebhookSecret("2026-01", SecretStr(...))], clock=SystemClock())
    sender = verifier.verify(WebhookRequest(method="POST", url=..., headers=..., body=raw))

Every verifier is the kernel's `WebhookVerifier`: pure, synchronous, without I/O. It looks at the raw body only, refuses a body over
its limit before hashing it (413), compares in constant time over all of its secrets, and raises nothing but `WebhookRefused`. A
valid request can be sent again within the time window; whoever records the events refuses the second copy by its id.
"""

from orchestrator_security._webhooks.any_of import any_of
from orchestrator_security._webhooks.bearer import BearerVerifier
from orchestrator_security._webhooks.hmac_scheme import HmacScheme, HmacVerifier
from orchestrator_security._webhooks.limits import DEFAULT_MAX_BODY, DEFAULT_TOLERANCE
from orchestrator_security._webhooks.livekit import LiveKitVerifier
from orchestrator_security._webhooks.secret_ring import WebhookSecret

__all__ = [
    "DEFAULT_MAX_BODY",
    "DEFAULT_TOLERANCE",
    "BearerVerifier",
    "HmacScheme",
    "HmacVerifier",
    "LiveKitVerifier",
    "WebhookSecret",
    "any_of",
]
