"""Signing people in with a browser."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator_kernel.ports.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at a page.

    Attributes:
        name: Shown to them.
        csrf_token: What their pages send with each change; other sites cannot know it.
        platform: Whether what they hold counts for the whole platform, and not for one tenant only.
    """

    principal: Principal
    name: str
    csrf_token: str = field(repr=False)
    platform: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactorNeeded:
    """The password was right; `challenge` proves it, for the code that is to follow."""

    challenge: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session has begun; `set_cookie` is the header's whole value."""

    set_cookie: str = field(repr=False)


class BrowserSignIn(Protocol):
    """Knows browsers by a cookie. Limits guesses and writes the audit by itself."""

    async def viewer(self, scope: MutableMapping[str, object]) -> Viewer | None:
        """Who sends the request with this ASGI scope; None for nobody we know.

        Raises:
            OrchestratorError: It cannot be found out now.
        """
        ...

    async def password(self, login: str, password: str, *, address: str, agent: str) -> SignedIn | SecondFactorNeeded:
        """Begin a session, or ask for more. `address` and `agent` (User-Agent) tell where it comes from.

        Raises:
            AuthenticationError: The same for everything that is wrong.
            RateLimitError: Too many attempts.
        """
        ...

    async def second_factor(self, challenge: str, code: str, *, agent: str) -> SignedIn:
        """Answer a challenge. Raises as `password`."""
        ...

    async def sign_out(self, scope: MutableMapping[str, object]) -> str:
        """End the session of the request; the value of the `Set-Cookie` that makes the browser forget it."""
        ...
