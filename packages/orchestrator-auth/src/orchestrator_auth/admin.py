"""What somebody with a shell on the server does: the first administrator, people, roles, keys, sessions, signing keys, and why somebody may or may not.

What the user types:

    admin = Admin(users=users, sessions=sessions, keys=keys, ring=ring, revocations=revocations, factor=factor, policies=policies, store=records, audit=auditor, clock=clock)
    print(await admin.first_admin("zoe@example.org", link="https://calls.example/set-password"))
    for line in await admin.explain("zoe@example.org", "call:view", tenant="hotel-7"): print(line)

Everything here acts as the platform's operator `local-operator` and is audited as such: the shell is the credential.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from orchestrator_auth._jwt.key_ring import KeyRing
from orchestrator_auth._jwt.revocation import Revocations
from orchestrator_auth.api_keys import ApiKeys, MadeKey, NewKey
from orchestrator_auth.audit import Auditor
from orchestrator_auth.members import INVITATION_SECONDS, Members
from orchestrator_auth.mfa import SecondFactor, Subject
from orchestrator_auth.models import ALL_TENANTS, Grant, Role, UserContext
from orchestrator_auth.rbac import PolicyHolder
from orchestrator_auth.records import RecordStore, Table
from orchestrator_auth.sessions import Session, Sessions
from orchestrator_auth.users import User, UserNotFound, Users
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.models import Severity
from orchestrator_kernel.ports import Clock

__all__ = ["OPERATOR", "Admin", "FirstAdminExists", "SigningKeyLine"]

OPERATOR: Final = "local-operator"


class FirstAdminExists(ValidationError):
    """The first administrator has set a password; further ones are given the role by an administrator."""

    default_code = "first_admin_exists"
    default_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyLine:
    """One signing key, for a list."""

    kid: str
    algorithm: str
    state: str
    signs_from: datetime
    verifies_until: datetime


@dataclass(frozen=True, slots=True)
class _First:
    user_id: str


class Admin:
    """The operations, over the services of the application."""

    def __init__(
        self,
        *,
        users: Users,
        sessions: Sessions,
        keys: ApiKeys,
        ring: KeyRing,
        revocations: Revocations,
        factor: SecondFactor,
        policies: PolicyHolder,
        store: RecordStore,
        audit: Auditor,
        clock: Clock,
        second_factor_roles: Collection[str] = (),
        tenants: Collection[str] | None = None,
    ) -> None:
        self._users = users
        self._members = Members(users, sessions, factor, revocations, policies=policies, audit=audit, tenants=tenants)
        self._sessions = sessions
        self._keys = keys
        self._ring = ring
        self._revocations = revocations
        self._factor = factor
        self._policies = policies
        self._first = Table(store, "first_admin", _First)
        self._audit = audit
        self._clock = clock
        self._sure_roles = frozenset(second_factor_roles)

    @property
    def operator(self) -> UserContext:
        """The one who acts here: everything that the policy has, in every tenant."""
        vocabulary = self._policies.policy.vocabulary
        return UserContext(user_id=OPERATOR, tenant=ALL_TENANTS, roles={Role.SYSTEM_ADMIN}, permissions=vocabulary)

    async def first_admin(self, login: str, *, link: str) -> str:
        """Make the first administrator, and the link with which they choose their password: shown this once, good once, for a day.

        Called again before the link was used, it makes a new link and the old one ends.

        Args:
            login: The name to sign in with.
            link: Where the page is; the token is added as its fragment, which no server logs.

        Raises:
            FirstAdminExists: The link was used.
            LoginTaken: Somebody else has the name.
        """
        first = await self._first.get("platform")
        user = None if first is None else await self._existing(first.user_id)
        if user is None:
            grants = [Grant(Role.SYSTEM_ADMIN, ALL_TENANTS)]
            user = await self._users.find(login) or await self._users.create(
                login, tenant=ALL_TENANTS, grants=grants, by=OPERATOR
            )
            made = _First(user.id)
            await self._first.change("platform", lambda _: (made, None))
        if user.password_hash or user.grants != frozenset({Grant(Role.SYSTEM_ADMIN, ALL_TENANTS)}):
            raise FirstAdminExists("There is an administrator already; let them give the role to others.")
        made_link = await self._reset_link(user, link)
        await self._audit.record("auth.first_admin", actor=OPERATOR, resource=f"user:{user.id}", severity=Severity.HIGH)
        return made_link

    async def invite(self, login: str, *, tenant: str, role: str, link: str) -> str:
        """A new person with a role, and the link with which they choose their password.

        Raises:
            RoleUnknown: The policy does not know the role.
            LoginTaken: Somebody has the name.
        """
        invited = await self._members.invite(login, Grant(role, tenant), by=self.operator)
        return _with_token(link, invited.token)

    async def user(self, who: str) -> User:
        """Somebody by id or by the name they sign in with.

        Raises:
            UserNotFound: There is nobody.
        """
        found = await self._existing(who) or await self._users.find(who)
        if found is None:
            raise UserNotFound("There is no such user.")
        return found

    async def grant(self, who: str, role: str, *, tenant: str) -> User:
        """Give a role.

        Raises:
            RoleUnknown: The policy does not know the role.
        """
        return await self._members.give(await self.user(who), Grant(role, tenant), by=self.operator)

    async def withdraw(self, who: str, role: str, *, tenant: str) -> User:
        """Take a role away, and end the user's tokens that still hold it."""
        return await self._members.take(await self.user(who), Grant(role, tenant), by=self.operator)

    async def disable(self, who: str) -> User:
        """Keep somebody out, at once."""
        return await self._members.disable(await self.user(who), by=self.operator)

    async def enable(self, who: str) -> User:
        """Let somebody in again."""
        return await self._members.enable(await self.user(who), by=self.operator)

    async def delete(self, who: str) -> None:
        """Remove somebody with their second factor and their sessions."""
        user = await self.user(who)
        await self._users.delete(user.id, by=OPERATOR)
        await self._factor.disable(Subject(user.id, user.tenant), by=OPERATOR)
        await self._sessions.end_all(user.id, reason="deleted", by=OPERATOR)

    async def reset_second_factor(self, who: str) -> bool:
        """Remove the second factor of somebody who lost it, and end their sessions; false if there was none."""
        return await self._members.reset_second_factor(await self.user(who), by=self.operator)

    async def reset_password(self, who: str, *, link: str) -> str:
        """A link with which somebody chooses a new password."""
        return await self._reset_link(await self.user(who), link)

    async def sessions(self, who: str) -> list[Session]:
        """Somebody's sessions, the last used first."""
        return await self._sessions.of_user((await self.user(who)).id)

    async def end_session(self, session_id: str) -> None:
        """End one session."""
        await self._sessions.end(session_id, by=self.operator)

    async def end_sessions(self, who: str) -> int:
        """End all of somebody's sessions; how many there were."""
        return await self._sessions.end_all((await self.user(who)).id, reason="ended by the operator", by=OPERATOR)

    async def create_key(self, new: NewKey) -> MadeKey:
        """A new API key; its text is shown this once."""
        return await self._keys.create(new, by=self.operator)

    async def rotate_key(self, key_id: str) -> MadeKey:
        """A successor for a key, which works a day longer."""
        return await self._keys.rotate(key_id, by=self.operator)

    async def revoke_key(self, key_id: str) -> None:
        """Refuse a key from now on."""
        await self._keys.revoke(key_id, by=self.operator)

    async def rotate_signing_key(self) -> str:
        """A new key for our tokens; its id. The old one verifies until its last token is over."""
        key = await self._ring.rotate()
        await self._audit.record("auth.signing_key.rotated", actor=OPERATOR, resource=f"signing_key:{key.kid}")
        return key.kid

    async def remove_signing_key(self, kid: str) -> bool:
        """Stop believing a key that leaked: everybody who has a token of it signs in again."""
        removed = await self._ring.remove(kid)
        details = {"removed": removed}
        resource = f"signing_key:{kid[:100]}"
        await self._audit.record(
            "auth.signing_key.removed", actor=OPERATOR, resource=resource, severity=Severity.CRITICAL, details=details
        )
        return removed

    async def signing_keys(self) -> list[SigningKeyLine]:
        """All keys, oldest first."""
        now, signing = self._clock.now(), await self._ring.signing_key()

        def state(kid: str, signs_from: datetime, until: datetime) -> str:
            if kid == signing.kid:
                return "signs"
            return "published" if signs_from > now else "over" if until <= now else "verifies"

        return [
            SigningKeyLine(
                kid=key.kid,
                algorithm=str(key.algorithm),
                state=state(key.kid, key.signs_from, key.verifies_until),
                signs_from=key.signs_from,
                verifies_until=key.verifies_until,
            )
            for key in await self._ring.keys()
        ]

    async def revoke_everything(self) -> None:
        """Refuse every access token that is out."""
        await self._revocations.revoke_everything()
        await self._audit.record(
            "auth.token.revoke", actor=OPERATOR, severity=Severity.CRITICAL, details={"scope": "everything"}
        )

    async def explain(self, who: str, permission: str, *, tenant: str) -> tuple[str, ...]:
        """Whether somebody may do something in a tenant, and through which role, or why not: one line each."""
        user = await self.user(who)
        policy = self._policies.policy
        found = policy.explain(user.grants, permission, tenant, second_factor_roles=self._sure_roles)
        verdict = "allowed" if found.allowed else "refused"
        lines = list(found.lines)
        if user.disabled:
            verdict = "disabled: may do nothing"
        elif found.second_factor and not (await self._factor.status(user.id)).enabled:
            verdict = "refused"
            lines.append("has no second factor: enrol, then show it")
        return (f"{verdict}: {permission} in {tenant} (policy {policy.revision or 'unnamed'})", *lines)

    async def _reset_link(self, user: User, link: str) -> str:
        return _with_token(link, await self._users.issue_reset(user, lifetime=INVITATION_SECONDS, by=OPERATOR))

    async def _existing(self, user_id: str) -> User | None:
        if not user_id.startswith("u-") or not user_id.isascii() or not user_id[2:].isalnum():
            return None
        try:
            return await self._users.get(user_id)
        except UserNotFound:
            return None


def _with_token(link: str, token: str) -> str:
    return f"{link}#{quote(token, safe='')}"
