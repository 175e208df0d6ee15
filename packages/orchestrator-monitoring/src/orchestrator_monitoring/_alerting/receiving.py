"""What every receiver is, and how often it is tried."""

from __future__ import annotations

from typing import Final, Protocol

from orchestrator_kernel.exceptions import ExternalServiceError
from orchestrator_monitoring._alerting.groups import Notice

__all__ = ["GIVE_UP", "NoticeFailed", "Receiver", "retry_delay"]

GIVE_UP: Final = 86_400.0
"""Seconds after which a notice that could not be sent is given up."""
_FIRST, _LONGEST = 2.0, 300.0


class NoticeFailed(ExternalServiceError):
    """A receiver did not take a notice; `retryable` tells whether it may later."""

    default_code = "notice_failed"


class Receiver(Protocol):
    """A service that tells people."""

    @property
    def name(self) -> str:
        """As routes name it."""
        ...

    @property
    def kind(self) -> str:
        """slack, pagerduty, email, webhook or alertmanager."""
        ...

    @property
    def heartbeats(self) -> bool:
        """Whether it can be the other end of a dead-man's switch."""
        ...

    async def send(self, notice: Notice) -> None:
        """Hand a notice over; one try, bounded in time.

        Raises:
            ExternalServiceError: It was not taken.
        """
        ...

    async def check(self) -> None:
        """Find out whether a notice would be taken, without telling anybody and without opening an incident.

        Raises:
            ExternalServiceError: It would not.
        """
        ...


def retry_delay(attempts: int, retry_after: float | None = None) -> float:
    """Seconds until the next try after so many: 2, 4, 8 … 300, or what the receiver asks for, up to an hour.

    >>> retry_delay(1), retry_delay(3), retry_delay(50), retry_delay(1, 30)
    (2.0, 8.0, 300.0, 30)
    """
    delay = min(_FIRST * 2.0 ** min(attempts - 1, 20), _LONGEST)
    return delay if retry_after is None else max(delay, min(retry_after, 3600.0))
