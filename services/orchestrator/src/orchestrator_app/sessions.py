"""Session tokens: what opens the media socket of one call, for a short time."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass, field

from orchestrator_kernel.exceptions import AuthenticationError
from orchestrator_kernel.ports import Clock

__all__ = ["SessionTokens"]


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """Issues and checks tokens `random.expiry.signature`, so that any process with the key can check them.

    Attributes:
        key: 32 bytes.
        lifetime: Seconds in which a token may be used to connect.
    """

    key: bytes = field(repr=False)
    lifetime: float
    clock: Clock

    def issue(self, call_id: str) -> str:
        """A token that nobody can guess or make, for this call alone."""
        body = f"{secrets.token_urlsafe(16)}.{int(self.clock.now().timestamp() + self.lifetime)}"
        return f"{body}.{self._signature(body, call_id)}"

    def check(self, token: str, call_id: str) -> None:
        """Return if the token opens this call now.

        Raises:
            AuthenticationError: It does not; says nothing more.
        """
        body, _, signature = token.rpartition(".")
        expiry = body.rpartition(".")[2]
        good = hmac.compare_digest(self._signature(body, call_id).encode(), signature.encode(errors="replace"))
        alive = (
            expiry.isascii() and expiry.isdigit() and len(expiry) < 13 and int(expiry) > self.clock.now().timestamp()
        )
        if not (good and alive):
            raise AuthenticationError("The session token does not open this call; start a call to get one.")

    def _signature(self, body: str, call_id: str) -> str:
        try:
            signed = f"{body}|{call_id}".encode()
        except UnicodeEncodeError as error:
            raise AuthenticationError("The session token is no token.") from error
        return base64.urlsafe_b64encode(hmac.digest(self.key, signed, "sha256")).rstrip(b"=").decode()
