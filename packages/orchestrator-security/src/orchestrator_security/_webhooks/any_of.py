"""Several verifiers behind one route."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookSender, WebhookVerifier


def any_of(verifiers: Sequence[WebhookVerifier]) -> WebhookVerifier:
    """A verifier that accepts what one of `verifiers` accepts; the first one names the sender.

    A route is as strong as the weakest of them. The refusal's `reason` holds the reason of each; its status is 413 if the body is
    too large for all of them.

    Raises:
        ConfigurationError: There is none.
    """
    if not verifiers:
        raise ConfigurationError("any_of needs at least one verifier")
    return _AnyOf(tuple(verifiers))


class _AnyOf:
    def __init__(self, verifiers: tuple[WebhookVerifier, ...]) -> None:
        self._verifiers = verifiers

    def verify(self, request: WebhookRequest) -> WebhookSender:
        refusals: list[WebhookRefused] = []
        for verifier in self._verifiers:
            try:
                return verifier.verify(request)
            except WebhookRefused as refusal:
                refusals.append(refusal)
        status = min(refusal.status for refusal in refusals)
        raise WebhookRefused("; ".join(refusal.reason for refusal in refusals), status=status)
