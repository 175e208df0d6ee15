"""How people get the token with which they choose a password."""

from __future__ import annotations

from orchestrator_auth.users import User


class ResetMail:
    """Sends the link for a new password; subclass it. Without one, a reset is audited and nothing is sent."""

    async def send(self, user: User, token: str) -> None:
        """Deliver the token to the person, and to nobody else."""

    async def invite(self, user: User, token: str) -> bool:  # noqa: ARG002 - for those who deliver
        """Deliver the token to somebody who is new; false if that cannot be, then whoever invites them is shown it."""
        return False
