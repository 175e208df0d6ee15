"""Signing in: a password, then the second factor of those who have one, then a session.

What the user types:

    signin = SignIn(users, factor, sessions, pepper=pepper, audit=auditor, clock=clock)
    match await signin.password("zoe@example.org", "…", address="192.0.2.1"):
        case Challenge(token): ...                      # ask for a code, then: await signin.second_factor(token, code)
        case SignedIn(pair=pair): ...
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import LoginRefused, TokenRefused
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.mfa import Method, SecondFactor, Subject
from orchestrator_auth.models import TokenPair, UserContext
from orchestrator_auth.sessions import Begin, Session, Sessions
from orchestrator_auth.users import UserNotFound, Users
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.ports import Clock

__all__ = ["Challenge", "SignIn", "SignedIn"]

_PREFIX: Final = "och_"


@dataclass(frozen=True, slots=True)
class Challenge:
    """The password was right, and a code is needed; `token` says so for `expires_in` seconds, and opens nothing by itself."""

    token: str = field(repr=False)
    expires_in: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session: carried by `pair`, or by `cookie` for a browser."""

    user_id: str
    session_id: str
    pair: TokenPair | None = None
    session: Session | None = None
    cookie: str = field(default="", repr=False)


class SignIn:
    """The way in.

    Args:
        users: Who they are.
        factor: Their second factors.
        sessions: Where they end up.
        pepper: Signs the challenges.
        challenge_seconds: How long a code may take.
    """

    def __init__(
        self,
        users: Users,
        factor: SecondFactor,
        sessions: Sessions,
        *,
        pepper: Pepper,
        audit: Auditor,
        clock: Clock,
        challenge_seconds: float = 300.0,
    ) -> None:
        if not 0 < challenge_seconds <= 3_600:
            raise ConfigurationError("challenge_seconds must be up to an hour")
        self._users = users
        self._factor = factor
        self._sessions = sessions
        self._pepper = pepper
        self._audit = audit
        self._clock = clock
        self._seconds = challenge_seconds

    async def password(
        self,
        login: str,
        password: str,
        *,
        address: str,
        tenant: str | None = None,
        label: str = "",
        browser: bool = False,
    ) -> Challenge | SignedIn:
        """Prove a password; a session for those without a second factor, a challenge for the others.

        Args:
            login: The name.
            password: The password.
            address: Where the attempt comes from.
            tenant: Where to work; at home unless given.
            label: What the user will see in the list of sessions.
            browser: Whether the session is carried by a cookie.

        Raises:
            LoginRefused: The same for everything that is wrong.
        """
        user = await self._users.authenticate(login, password, address=address)
        begin = Begin(user_id=user.id, tenant=tenant or user.tenant, label=label)
        if (await self._factor.status(user.id)).enabled:
            expires = int(self._clock.now().timestamp() + self._seconds)
            text = f"{user.id}|{begin.tenant}|{expires}|{int(browser)}|{secrets.token_hex(8)}"
            return Challenge(f"{_PREFIX}{text}|{self._pepper.hash(text, 'challenge')}", int(self._seconds))
        return await self._begin(begin, browser=browser)

    async def second_factor(self, challenge: str, code: str, *, label: str = "") -> SignedIn:
        """Answer a challenge.

        Raises:
            LoginRefused: The challenge is over or none of ours, or the code is wrong or spent.
        """
        text, _, mac = challenge.removeprefix(_PREFIX).rpartition("|")
        if not challenge.startswith(_PREFIX) or not self._pepper.matches(text, "challenge", mac):
            await self._audit.refuse("auth.login.failure", "challenge is forged")
            raise LoginRefused("challenge is forged")
        user_id, tenant, expires, browser, _ = text.split("|")
        if self._clock.now().timestamp() >= int(expires):
            await self._audit.refuse("auth.login.failure", "challenge is over", actor=user_id)
            raise LoginRefused("challenge is over")
        try:
            user = await self._users.get(user_id)
        except UserNotFound as error:
            raise LoginRefused("user is gone") from error
        await self._factor.verify(Subject(user.id, user.tenant), code)
        begin = Begin(user_id=user_id, tenant=tenant, second_factor_at=self._clock.now(), label=label)
        return await self._begin(begin, browser=browser == "1")

    async def step_up(self, user: UserContext, code: str) -> tuple[Method, TokenPair | None]:
        """Show the second factor again in the session of the request, for what needs it to be recent; new tokens that say so, None with a cookie.

        The user is the request's own, never one that the request names.

        Raises:
            LoginRefused: The code is wrong or spent.
            TokenRefused: The request has no session, or it is over.
        """
        if not user.session_id:
            raise TokenRefused("the credential belongs to no session")
        found = await self._users.get(user.user_id)
        method = await self._factor.verify(Subject(found.id, found.tenant), code)
        return method, await self._sessions.confirm_second_factor(user.session_id)

    async def _begin(self, begin: Begin, *, browser: bool) -> SignedIn:
        try:
            if browser:
                session, cookie = await self._sessions.begin_browser(begin)
                return SignedIn(user_id=begin.user_id, session_id=session.id, session=session, cookie=cookie)
            pair = await self._sessions.begin(begin)
        except OrchestratorError as error:
            if error.status == 401:  # no role where they want to work: the same answer as for a wrong password
                raise LoginRefused("user may not sign in there") from error
            raise
        return SignedIn(user_id=begin.user_id, session_id=pair.session_id, pair=pair)
