"""GitHub: `X-Hub-Signature-256: sha256=…`, HMAC-SHA256 in hex over the body alone.

Source: docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries. No time is signed, and neither is the header
`X-GitHub-Delivery`: only the body itself can tell that a delivery is not new (`delivery_store.Deliveries` does it).
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator_kernel.ports import Clock
from orchestrator_security._webhooks.hmac_scheme import HmacScheme, HmacVerifier
from orchestrator_security._webhooks.limits import DEFAULT_MAX_BODY
from orchestrator_security._webhooks.secret_ring import WebhookSecret

GITHUB = HmacScheme(signature_header="X-Hub-Signature-256", prefix="sha256=", timestamp_header=None)


class GitHubVerifier(HmacVerifier):
    """A `WebhookVerifier` for GitHub's deliveries, whose bodies have up to 25 MB: raise `max_body` if yours are large."""

    def __init__(
        self,
        secrets: Sequence[WebhookSecret],
        *,
        clock: Clock,
        source: str = "github",
        max_body: int = DEFAULT_MAX_BODY,
    ) -> None:
        """As an `HmacVerifier` with GitHub's scheme.

        Raises:
            ConfigurationError: A secret or a limit is not usable; the message names it, never its value.
        """
        super().__init__(GITHUB, secrets, clock=clock, source=source, max_body=max_body)
