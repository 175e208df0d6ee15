"""Sessions: begun at sign-in, carried by tokens or by a cookie, listed and ended one by one or all at once.

What the user types:

    sessions = Sessions(records, issuer, revocations, pepper=pepper, roles_of=users.roles, audit=auditor, clock=clock)
    pair = await sessions.begin(Begin(user_id="u-1", tenant="hotel-7"))
    pair = await sessions.refresh(pair.refresh_token)

A refresh token works once. When one comes a second time, the session ends with everything that was made from it (RFC 9700): one of the two who held it is a thief.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator_auth._jwt.issuer import TokenIssuer, TokenRequest
from orchestrator_auth._jwt.revocation import Revocations
from orchestrator_auth._rbac.policy import Actor, reaches
from orchestrator_auth._sessions.model import (
    Rotation,
    Session,
    SessionConfig,
    SessionKind,
    make_cookie,
    make_refresh_token,
    new_secret,
    read_cookie,
    read_refresh_token,
    rotate,
)
from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import CredentialRefused, TokenRefused
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.models import TokenPair
from orchestrator_auth.records import RecordStore, Table
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.models import Severity
from orchestrator_kernel.ports import Clock

__all__ = ["Begin", "Session", "SessionConfig", "SessionKind", "SessionNotFound", "Sessions"]

RolesOf = Callable[[str, str], Awaitable[frozenset[str] | None]]
"""The roles that a user has in a tenant now; None for a user who may not sign in any more."""

_KIND: Final = "session"
_KEPT: Final = timedelta(days=1)


class SessionNotFound(ValidationError):
    """No session of this id, or not one that you may see."""

    default_code = "session_not_found"
    default_status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """A sign-in that was just proved.

    Attributes:
        second_factor_at: When the second factor was shown, if one was.
        label: What the user sees in a list; up to 100 characters.
    """

    user_id: str
    tenant: str
    second_factor_at: datetime | None = None
    label: str = ""


class Sessions:
    """Keeps sessions in any record store; processes that share it agree.

    Args:
        store: Of the sessions.
        issuer: Of the access tokens.
        revocations: So that ending a session ends its access tokens.
        pepper: For the secrets of refresh tokens and cookies.
        roles_of: Asked at each refresh, so that a role taken away is gone by then.
        audit: Told of every beginning, end and theft.
    """

    def __init__(
        self,
        store: RecordStore,
        issuer: TokenIssuer,
        revocations: Revocations,
        *,
        pepper: Pepper,
        roles_of: RolesOf,
        audit: Auditor,
        clock: Clock,
        config: SessionConfig | None = None,
    ) -> None:
        self._table = Table(store, _KIND, Session, expiry=lambda session: session.ends_at + _KEPT)
        self._issuer = issuer
        self._revocations = revocations
        self._pepper = pepper
        self._roles_of = roles_of
        self._audit = audit
        self._clock = clock
        self._config = config or SessionConfig()

    # --- carried by tokens

    async def begin(self, begin: Begin) -> TokenPair:
        """A new session with its first tokens.

        Raises:
            CredentialRefused: The user may not sign in.
        """
        session, secret = await self._begin(begin, SessionKind.TOKEN)
        return await self._pair(session, secret)

    async def refresh(self, refresh_token: str) -> TokenPair:
        """New tokens for a refresh token, which works no more.

        Raises:
            TokenRefused: It is not ours, expired, ended, or was used before; then its whole session is over.
        """
        try:
            presented = read_refresh_token(refresh_token, self._pepper)
        except TokenRefused as error:
            await self._audit.refuse("auth.token.refresh", error.reason)
            raise
        secret = new_secret()
        hashed = self._pepper.hash(secret, "session-secret")
        now = self._clock.now()

        def decide(session: Session | None) -> tuple[Session | None, tuple[Rotation, Session | None]]:
            after, outcome = rotate(session, presented, hashed, pepper=self._pepper, now=now, config=self._config)
            return after, (outcome, after or session)

        outcome, session = await self._table.change(presented.session_id, decide)
        if outcome is not Rotation.ROTATED or session is None:
            await self._refused(presented.session_id, outcome, session)
            raise TokenRefused(outcome)
        pair = await self._pair(session, secret)
        await self._audit.record("auth.token.refresh", actor=session.user_id, resource=f"session:{session.id}")
        return pair

    # --- carried by a cookie

    async def begin_browser(self, begin: Begin) -> tuple[Session, str]:
        """A new session and the value of its cookie."""
        session, secret = await self._begin(begin, SessionKind.BROWSER)
        return session, make_cookie(session.id, secret)

    async def check_cookie(self, value: str) -> tuple[Session, frozenset[str]]:
        """The session behind a cookie, and the roles of its user now.

        Raises:
            TokenRefused: There is none, or it is over.
        """
        session_id, secret = read_cookie(value)
        session = await self._table.get(session_id)
        now = self._clock.now()
        if session is None or session.kind is not SessionKind.BROWSER or not session.alive(now):
            raise TokenRefused("session is unknown, over, or has no cookie")
        if not self._pepper.matches(secret, "session-secret", session.secret_hash):
            raise TokenRefused("cookie is forged")
        roles = await self._roles_of(session.user_id, session.tenant)
        if roles is None:
            raise TokenRefused("user may not sign in any more")
        if (now - session.last_used_at).total_seconds() >= self._config.touch_interval:
            await self._table.change(session_id, lambda found: (self._touched(found, now), None))
        return session, roles

    def csrf_token(self, session: Session) -> str:
        """What a page sends along with each change, in a header: nobody else's page can know it."""
        return self._pepper.hash(f"{session.id}.{session.secret_hash}", "csrf")

    def check_csrf(self, session: Session, token: str) -> bool:
        """Whether the token is this session's."""
        return self._pepper.matches(f"{session.id}.{session.secret_hash}", "csrf", token)

    # --- seen and ended

    async def get(self, session_id: str) -> Session | None:
        """The session, if it lasts."""
        session = await self._table.get(session_id)
        return session if session is not None and session.alive(self._clock.now()) else None

    async def of_user(self, user_id: str) -> list[Session]:
        """All that last, the last used first."""
        now = self._clock.now()
        alive = [session for session in await self._table.owned(user_id) if session.alive(now)]
        return sorted(alive, key=lambda session: session.last_used_at, reverse=True)

    async def end(self, session_id: str, *, by: Actor) -> None:
        """End one session, one's own or, with `session:end`, another's in a tenant that is open to one.

        Raises:
            SessionNotFound: There is none, or it is not one's own and one may not.
        """
        session = await self.get(session_id)
        if session is None or not _may_end(by, session):
            await self._audit.refuse("auth.session.end", "not the owner, or unknown", actor=by.id, session=session_id)
            raise SessionNotFound("There is no such session among those that you may end.")
        await self._end(session_id, "ended by its user" if by.id == session.user_id else "ended by another")
        await self._audit.record(
            "auth.logout",
            actor=by.id,
            resource=f"session:{session_id}",
            tenant=session.tenant,
            details={"user": session.user_id},
        )

    async def end_all(self, user_id: str, *, reason: str, keep: str = "", by: str = "") -> int:
        """End all sessions of a user but `keep`, and refuse the access tokens of those; how many ended. For the caller to authorize.

        `by` is who did it, for the audit: the user, unless given.
        """
        others = [session for session in await self.of_user(user_id) if session.id != keep]
        for session in others:
            await self._end(session.id, reason)
        if not keep:
            await self._revocations.revoke_user(user_id)
        await self._audit.record(
            "auth.logout",
            actor=by or user_id,
            resource=f"user:{user_id}",
            details={"reason": reason, "sessions": len(others)},
        )
        return len(others)

    async def confirm_second_factor(self, session_id: str) -> TokenPair | None:
        """Note that the second factor was just shown in this session; new tokens that say so, or None for a browser's session.

        Raises:
            TokenRefused: The session is over.
        """
        now = self._clock.now()
        secret = new_secret()
        hashed = self._pepper.hash(secret, "session-secret")

        def decide(session: Session | None) -> tuple[Session | None, Session | None]:
            if session is None or not session.alive(now):
                return None, None
            after = replace(session.used(now, self._config), second_factor_at=now)
            if session.kind is SessionKind.TOKEN:
                # The pair that was out before is replaced, like at a refresh.
                after = replace(after, generation=session.generation + 1, secret_hash=hashed)
            return after, after

        session = await self._table.change(session_id, decide)
        if session is None:
            raise TokenRefused("session is over")
        return await self._pair(session, secret) if session.kind is SessionKind.TOKEN else None

    # --- within

    async def _begin(self, begin: Begin, kind: SessionKind) -> tuple[Session, str]:
        if await self._roles_of(begin.user_id, begin.tenant) is None:
            await self._audit.refuse("auth.login.failure", "user may not sign in", actor=begin.user_id)
            raise CredentialRefused("user may not sign in")
        secret, now = new_secret(), self._clock.now()
        ends_at = now + timedelta(seconds=self._config.absolute)
        session = Session(
            id=secrets.token_hex(16),
            user_id=begin.user_id,
            tenant=begin.tenant,
            kind=kind,
            secret_hash=self._pepper.hash(secret, "session-secret"),
            created_at=now,
            authenticated_at=now,
            last_used_at=now,
            expires_at=min(now + self._config.idle(kind), ends_at),
            ends_at=ends_at,
            second_factor_at=begin.second_factor_at,
            label=begin.label[:100],
        )
        await self._table.add(session.id, session, owner=session.user_id)
        await self._audit.record(
            "auth.login.success",
            actor=session.user_id,
            resource=f"session:{session.id}",
            tenant=session.tenant,
            details={"kind": str(kind)},
        )
        return session, secret

    async def _pair(self, session: Session, secret: str) -> TokenPair:
        roles = await self._roles_of(session.user_id, session.tenant)
        if roles is None:
            await self._end(session.id, "user may not sign in any more")
            raise TokenRefused("user may not sign in any more")
        request = TokenRequest(
            subject=session.user_id,
            tenant=session.tenant,
            roles=roles,
            session_id=session.id,
            authenticated_at=session.authenticated_at,
            second_factor_at=session.second_factor_at,
        )
        return TokenPair(
            access_token=await self._issuer.issue(request),
            refresh_token=make_refresh_token(session.id, session.generation, secret, self._pepper),
            expires_in=int(self._issuer.lifetime),
            session_id=session.id,
        )

    async def _refused(self, session_id: str, outcome: Rotation, session: Session | None) -> None:
        user = "anonymous" if session is None else session.user_id
        stolen = outcome is Rotation.REUSED or (session is not None and session.end_reason == Rotation.REUSED)
        if stolen:
            # Again at each later attempt: whoever was killed between ending the session and revoking it left this undone.
            await self._revocations.revoke_session(session_id)
        severity = Severity.HIGH if stolen else Severity.MEDIUM
        await self._audit.refuse("auth.token.refresh", outcome, actor=user, severity=severity, session=session_id)

    async def _end(self, session_id: str, reason: str) -> None:
        now = self._clock.now()
        await self._table.change(
            session_id, lambda session: (None if session is None else session.ended(now, reason), None)
        )
        await self._revocations.revoke_session(session_id)

    def _touched(self, session: Session | None, now: datetime) -> Session | None:
        return session.used(now, self._config) if session is not None and session.alive(now) else None


def _may_end(actor: Actor, session: Session) -> bool:
    return actor.id == session.user_id or (actor.may("session:end") and reaches(actor, session.tenant))
