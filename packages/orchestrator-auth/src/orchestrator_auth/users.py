"""People: their sign-in name (sealed), their password (hashed), their roles; created, changed, disabled, and signed in.

What the user types:

    users = Users(records, sealer, hasher, pepper=pepper, audit=auditor, clock=clock)
    zoe = await users.create("zoe@example.org", tenant="hotel-7", grants=[Grant("hotel_staff", "hotel-7")], password="…")
    found = await users.authenticate("zoe@example.org", "…", address="192.0.2.1")
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from orchestrator_auth._people.model import (
    LoginTaken,
    Reset,
    User,
    UserNotFound,
    looks_like_id,
    normal_login,
    scope_of,
)
from orchestrator_auth._rbac.policy import Actor, Policy, reaches
from orchestrator_auth.audit import ANONYMOUS, Auditor
from orchestrator_auth.exceptions import AccessDenied, LoginRefused
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.models import Grant, require_tenant
from orchestrator_auth.passwords import Guesses, GuessLimits, PasswordHasher, PasswordRules
from orchestrator_auth.records import RecordStore, Table, owner_of
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.models import Outcome, Severity
from orchestrator_kernel.ports import Clock, Sealer

__all__ = ["LoginTaken", "User", "UserNotFound", "Users", "covers"]

_KIND: Final = "user"
_RESET_KIND: Final = "password_reset"
_RESET_PREFIX: Final = "opr_"
_PER_ADDRESS: Final = GuessLimits(free=50)


class Users:
    """All people.

    Args:
        store: Of the users.
        sealer: Seals their names.
        hasher: Of their passwords.
        pepper: Names are looked up, and tokens compared, by keyed hashes. Its oldest key stays.
        rules: For new passwords.
        per_account: How fast one account may be guessed at.
        per_address: How fast one address may guess.
    """

    def __init__(
        self,
        store: RecordStore,
        sealer: Sealer,
        hasher: PasswordHasher,
        *,
        pepper: Pepper,
        audit: Auditor,
        clock: Clock,
        rules: PasswordRules | None = None,
        per_account: GuessLimits | None = None,
        per_address: GuessLimits | None = None,
    ) -> None:
        self._table = Table(store, _KIND, User)
        self._resets = Table(store, _RESET_KIND, Reset, expiry=lambda reset: reset.expires_at)
        self._sealer = sealer
        self._hasher = hasher
        self._pepper = pepper
        self._audit = audit
        self._clock = clock
        self._rules = rules or PasswordRules()
        self._accounts = Guesses(store, pepper=pepper, clock=clock, purpose="account", limits=per_account)
        self._addresses = Guesses(
            store, pepper=pepper, clock=clock, purpose="address", limits=per_address or _PER_ADDRESS
        )

    # --- who there is

    async def create(
        self,
        login: str,
        *,
        tenant: str,
        grants: Iterable[Grant] = (),
        password: str | None = None,
        by: str = ANONYMOUS,
    ) -> User:
        """A new person.

        Raises:
            LoginTaken: The name is somebody's.
            WeakPassword: The password is easily guessed.
            ValidationError: The name or the tenant is none.
        """
        name = normal_login(login)
        require_tenant(tenant)
        now, user_id = self._clock.now(), f"u-{secrets.token_hex(12)}"
        if password is not None:
            self._rules.check(password, login=name)
        user = User(
            id=user_id,
            tenant=tenant,
            sealed_login=(await self._sealer.seal(name.encode(), scope_of(tenant, user_id))).hex(),
            created_at=now,
            password_hash="" if password is None else await self._hasher.hash(password),
            password_changed_at=None if password is None else now,
            grants=frozenset(grants),
        )
        if not await self._table.add(user_id, user, owner=owner_of(tenant), alias=self._alias(name)):
            raise LoginTaken("Somebody has this sign-in name already.")
        await self._tell("user.created", user, by)
        return user

    async def get(self, user_id: str) -> User:
        """The person of this id.

        Raises:
            UserNotFound: There is none.
        """
        user = await self._table.get(user_id) if looks_like_id(user_id) else None
        if user is None:
            raise UserNotFound("There is no such user.")
        return user

    async def find(self, login: str) -> User | None:
        """The person of this name; for administrators, never for an answer to a stranger."""
        try:
            return await self._table.by_alias(self._alias(normal_login(login)))
        except ValidationError:
            return None

    async def of_tenant(self, tenant: str, *, after: str = "", limit: int | None = None) -> list[User]:
        """Who is at home in the tenant, by id: all, or up to `limit` whose ids come after `after`."""
        return await self._table.owned(owner_of(tenant), after=after, limit=limit)

    async def login_of(self, user: User) -> str:
        """The name a person signs in with."""
        return (await self._sealer.open(bytes.fromhex(user.sealed_login), scope_of(user.tenant, user.id))).decode()

    async def roles(self, user_id: str, tenant: str) -> frozenset[str] | None:
        """The roles of a user in a tenant now; None for one who may not sign in there: gone, disabled, or without any role in it."""
        user = await self._table.get(user_id)
        if user is None or user.disabled:
            return None
        return user.roles_in(tenant) or None

    async def grant(self, user_id: str, grant: Grant, *, by: Actor, policy: Policy) -> User:
        """Give a role. Nobody gives what they do not hold themselves.

        Raises:
            AccessDenied: The tenant is not open to `by`, or the role may do more than `by`.
            UserNotFound: There is no such user.
        """
        if not covers(by, grant, policy) or not by.may("role:assign"):
            await self._audit.refuse("authz.role.assignment", "more than the giver holds", actor=by.id, user=user_id)
            raise AccessDenied("the role may do more than its giver, or elsewhere")
        return await self._regrant(user_id, lambda grants: grants | {grant}, by, f"given {grant.role}")

    async def withdraw(self, user_id: str, grant: Grant, *, by: Actor) -> User:
        """Take a role away. The user's tokens keep it until they are refreshed, 15 minutes at most; end the sessions for less.

        Raises:
            AccessDenied: The tenant is not open to `by`.
            UserNotFound: There is no such user.
        """
        if not reaches(by, grant.tenant) or not by.may("role:assign"):
            await self._audit.refuse("authz.role.assignment", "not permitted", actor=by.id, user=user_id)
            raise AccessDenied("may not take roles away here")
        return await self._regrant(user_id, lambda grants: grants - {grant}, by, f"lost {grant.role}")

    async def set_disabled(self, user_id: str, *, disabled: bool, by: str) -> User:
        """Keep a person out, or let them in again. End their sessions besides.

        Raises:
            UserNotFound: There is no such user.
        """
        user = await self._change(user_id, lambda found: replace(found, disabled=disabled))
        await self._tell("user.disabled" if disabled else "user.enabled", user, by)
        return user

    async def delete(self, user_id: str, *, by: str) -> None:
        """Remove a person for good. End their sessions and remove their second factor besides.

        Raises:
            UserNotFound: There is no such user.
        """
        user = await self.get(user_id)
        await self._table.remove(user_id)
        await self._resets.remove(user_id)
        await self._tell("user.deleted", user, by)

    # --- signing in

    async def authenticate(self, login: str, password: str, *, address: str) -> User:
        """The person behind a name and a password. The answer and its time are the same, whoever exists.

        Raises:
            LoginRefused: Wrong, unknown, disabled, or guessed at too often.
        """
        try:
            name = normal_login(login)
        except ValidationError:
            name = "\0"
        try:
            await self._addresses.attempt(address)
            await self._accounts.attempt(name)
        except LoginRefused as error:
            await self._audit.refuse("auth.login.failure", error.reason, severity=Severity.HIGH)
            raise
        user = await self._table.by_alias(self._alias(name))
        verdict = await self._hasher.verify(user.password_hash if user is not None else None, password)
        if user is None or not verdict.good or user.disabled:
            reason = "unknown name" if user is None else "user is disabled" if verdict.good else "wrong password"
            await self._audit.refuse("auth.login.failure", reason, actor=ANONYMOUS if user is None else user.id)
            raise LoginRefused(reason)
        await self._accounts.forgive(name)
        # Only this one: else somebody with an account of their own could guess at others' for ever.
        await self._addresses.take_back(address)
        if verdict.upgrade is not None:
            upgrade, old = verdict.upgrade, user.password_hash
            user = await self._change(
                user.id, lambda found: replace(found, password_hash=upgrade) if found.password_hash == old else found
            )
        return user

    async def change_password(self, user_id: str, old: str, new: str) -> User:
        """Replace the password of somebody who knows the old one. End the user's other sessions besides.

        Raises:
            LoginRefused: The old one is wrong.
            WeakPassword: The new one is easily guessed.
        """
        user = await self.get(user_id)
        name = await self.login_of(user)
        await self._accounts.attempt(name)
        if not (await self._hasher.verify(user.password_hash or None, old)).good:
            await self._audit.refuse("auth.password.change", "wrong password", actor=user_id)
            raise LoginRefused("wrong password at change")
        await self._accounts.forgive(name)
        return await self._set_password(user, name, new)

    async def begin_reset(self, login: str, *, lifetime: float = 1_800.0) -> tuple[User, str] | None:
        """A token that lets its holder choose a password, once, within `lifetime` seconds; None if nobody has the name.

        Send it to the person and answer everybody the same. A later token ends an earlier one.
        """
        user = await self.find(login)
        if user is None or user.disabled:
            await self._audit.refuse("auth.password.reset", "unknown name or disabled user")
            return None
        return user, await self.issue_reset(user, lifetime=lifetime)

    async def issue_reset(self, user: User, *, lifetime: float, by: str = ANONYMOUS) -> str:
        """The token for a user whom the caller knows: an invitation, or the first administrator's link."""
        secret = secrets.token_hex(32)
        reset = Reset(self._pepper.hash(secret, "password-reset"), self._clock.now() + timedelta(seconds=lifetime))
        await self._resets.change(user.id, lambda _: (reset, None))
        await self._tell("auth.password.reset_requested", user, by)
        return f"{_RESET_PREFIX}{user.id}.{secret}"

    async def finish_reset(self, token: str, new: str) -> User:
        """Set the password with a token, which works no more. End all of the user's sessions besides.

        Raises:
            LoginRefused: The token is unknown, used, replaced or expired.
            WeakPassword: The new password is easily guessed; the token still works.
        """
        user_id, _, secret = token.removeprefix(_RESET_PREFIX).partition(".")
        user = await self._table.get(user_id) if looks_like_id(user_id) else None
        reset = None if user is None else await self._resets.get(user_id)
        good = reset is not None and self._good(reset, secret)
        if user is None or not good:
            await self._audit.refuse("auth.password.reset", "token is unknown, used or expired", severity=Severity.HIGH)
            raise LoginRefused("reset token is unknown, used or expired")
        name = await self.login_of(user)
        self._rules.check(new, login=name)

        def spend(found: Reset | None) -> tuple[Reset | None, bool]:
            if found is None or not self._good(found, secret):
                return None, False
            return Reset("", found.expires_at), True

        if not await self._resets.change(user_id, spend):
            raise LoginRefused("reset token was used meanwhile")
        await self._accounts.forgive(name)
        return await self._set_password(user, name, new)

    # --- within

    def _good(self, reset: Reset, secret: str) -> bool:
        matches = self._pepper.matches(secret, "password-reset", reset.secret_hash)
        return matches and self._clock.now() < reset.expires_at

    async def _set_password(self, user: User, name: str, new: str) -> User:
        self._rules.check(new, login=name)
        hashed, now = await self._hasher.hash(new), self._clock.now()
        user = await self._change(user.id, lambda found: replace(found, password_hash=hashed, password_changed_at=now))
        await self._tell("auth.password.changed", user, user.id)
        return user

    async def _regrant(
        self, user_id: str, change: Callable[[frozenset[Grant]], frozenset[Grant]], by: Actor, what: str
    ) -> User:
        user = await self._change(user_id, lambda found: replace(found, grants=change(found.grants)))
        details = {"user": user_id, "change": what}
        resource = f"user:{user_id}"
        await self._audit.record(
            "authz.role.assignment", actor=by.id, resource=resource, tenant=user.tenant, details=details
        )
        return user

    async def _change(self, user_id: str, change: Callable[[User], User]) -> User:
        def decide(found: User | None) -> tuple[User | None, User | None]:
            after = None if found is None else change(found)
            return after, after

        user = await self._table.change(user_id, decide)
        if user is None:
            raise UserNotFound("There is no such user.")
        return user

    async def _tell(self, kind: str, user: User, by: str) -> None:
        await self._audit.record(
            kind, actor=by, outcome=Outcome.SUCCESS, resource=f"user:{user.id}", tenant=user.tenant
        )

    def _alias(self, name: str) -> str:
        return self._pepper.name(name, "login")


def covers(by: Actor, grant: Grant, policy: Policy) -> bool:
    """Whether somebody holds, where the grant holds, everything that it comes to."""
    return reaches(by, grant.tenant) and all(map(by.may, policy.permissions(grant.tenant, {grant.role})))
