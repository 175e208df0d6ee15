"""Knowing who sent a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from orchestrator_kernel.exceptions import AuthenticationError


class WebhookRefused(AuthenticationError):
    """The sender is not proved; 401, or 413 for a body that is too large.

    `reason` says which check refused; it is for the log and the audit, never for the sender.
    """

    default_code = "webhook_refused"

    def __init__(self, reason: str, *, status: int = 401) -> None:
        super().__init__("The webhook could not be verified.", status=status)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return _refused, (self.reason, self.status)


def _refused(reason: str, status: int) -> WebhookRefused:
    return WebhookRefused(reason, status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A webhook as it came in.

    Attributes:
        method: Upper case.
        url: The public URL the sender used.
        headers: Name and value as received, decoded as latin-1; names in any case, repeated ones in order.
        body: The raw bytes.
    """

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The only value of a header; None when it is absent.

        Raises:
            WebhookRefused: The header is repeated: two readers could see two values.
        """
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        if len(values) > 1:
            raise WebhookRefused(f"repeated header {wanted}")
        return values[0] if values else None


class WebhookSender(NamedTuple):
    """The proved sender; a tuple, because one is made for every webhook.

    Attributes:
        source: The name under which the verifier is configured.
        key_id: Which of its live secrets signed.
        signed_at: The signed time, where the scheme has one.
        delivery_id: The signed id of the delivery, where the scheme has one.
    """

    source: str
    key_id: str
    signed_at: datetime | None = None
    delivery_id: str | None = None


class WebhookVerifier(Protocol):
    """Checks a webhook's signature over the raw body."""

    def verify(self, request: WebhookRequest) -> WebhookSender:
        """The proved sender, in constant time over secrets.

        Raises:
            WebhookRefused: For everything else, whatever the headers hold.
        """
        ...
