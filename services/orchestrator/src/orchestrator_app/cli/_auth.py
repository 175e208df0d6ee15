"""`orchestrator auth`: what its commands do, on the databases of the settings; a running service sees it within a second."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

from orchestrator_app.cli._print import counted, print_json, print_table
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.account_mail import password_page
from orchestrator_app.composition.audit import make_audit
from orchestrator_app.composition.auth import make_auth
from orchestrator_app.composition.database import open_databases, prepare
from orchestrator_app.composition.redaction import make_redactor
from orchestrator_app.composition.sealing import make_sealer
from orchestrator_app.composition.secrets import load_secrets
from orchestrator_app.composition.tenants import with_tenants
from orchestrator_app.settings import AppSettings
from orchestrator_auth.api_keys import ApiKey, MadeKey, NewKey
from orchestrator_auth.models import KeyLimits
from orchestrator_auth.rbac import default_policy_text, load_policy
from orchestrator_auth.service import Auth
from orchestrator_auth.users import User
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SystemClock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Where:
    """Which service, and how to tell the outcome."""

    config: Path | None
    data: Path | None
    as_json: bool

    def settings(self) -> AppSettings:
        """The settings of the service."""
        return load_settings(self.config, data_dir=self.data).value

    def tell(self, document: Mapping[str, object], sentence: str) -> None:
        """The outcome of a change."""
        if self.as_json:
            print_json(document)
        else:
            sys.stdout.write(f"{sentence}\n")

    def table(self, title: str, rows: Sequence[Mapping[str, object]], *, empty: str) -> None:
        """A list."""
        if self.as_json:
            print_json(rows)
        else:
            columns = list(rows[0]) if rows else []
            print_table(title, columns, [[_cell(value) for value in row.values()] for row in rows], empty=empty)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key shall be."""

    service: str
    tenant: str
    permissions: frozenset[str]
    days: int
    per_minute: int
    label: str


def first_admin(email: str, where: Where) -> None:
    """Make the first administrator."""
    settings = where.settings()
    link = _run(settings, lambda auth: auth.admin.first_admin(email, link=password_page(settings)))
    where.tell({"email": email, "link": link}, f"Choose a password within a day; the link works once:\n{link}")


def explain(who: str, permission: str, tenant: str, where: Where) -> None:
    """Say why somebody may, or may not."""
    lines = _run(where.settings(), lambda auth: auth.admin.explain(who, permission, tenant=tenant))
    allowed = lines[0].startswith("allowed")
    where.tell({"allowed": allowed, "lines": lines}, "\n".join(lines))
    if not allowed:
        sys.exit(1)


def policy(file: Path | None) -> None:
    """Print the built-in policy, or check one."""
    if file is None:
        sys.stdout.write(default_policy_text())
        return
    try:
        found = load_policy(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {getattr(error, 'strerror', error)}") from error
    sys.stdout.write(f"{file} is a policy with the roles {', '.join(sorted(found.roles))}\n")


def revoke_all(where: Where) -> None:
    """Refuse every access token that is out."""
    _run(where.settings(), lambda auth: auth.admin.revoke_everything())
    where.tell({"revoked": "all access tokens"}, "Every access token that was out is refused from now on.")


def list_users(tenant: str, where: Where) -> None:
    """List people."""

    async def found(auth: Auth) -> list[dict[str, object]]:
        return [await _user(auth, user) for user in await auth.users.of_tenant(tenant)]

    where.table(f"People of {tenant}", _run(where.settings(), found), empty="nobody")


def show_user(who: str, where: Where) -> None:
    """Show somebody."""

    async def found(auth: Auth) -> dict[str, object]:
        user = await auth.admin.user(who)
        status, sessions = await auth.factor.status(user.id), await auth.sessions.of_user(user.id)
        more = {"recovery_codes_left": status.recovery_codes_left, "sessions": len(sessions)}
        return {**await _user(auth, user), "created_at": user.created_at, **more}

    shown = _run(where.settings(), found)
    if where.as_json:
        print_json(shown)
    else:
        print_table(str(shown["user"]), ["what", "value"], [(name, _cell(value)) for name, value in shown.items()])


def invite(email: str, tenant: str, role: str, where: Where) -> None:
    """Add somebody."""
    settings = where.settings()
    link = _run(settings, lambda auth: auth.admin.invite(email, tenant=tenant, role=role, link=password_page(settings)))
    where.tell({"email": email, "link": link}, f"Send this link to {email}; it works once, within a day:\n{link}")


def reset_password(who: str, where: Where) -> None:
    """Make a link to choose a new password with."""
    settings = where.settings()
    link = _run(settings, lambda auth: auth.admin.reset_password(who, link=password_page(settings)))
    where.tell({"user": who, "link": link}, f"Send this link to {who}; it works once, within a day:\n{link}")


def reset_second_factor(who: str, where: Where) -> None:
    """Remove somebody's second factor."""
    removed = _run(where.settings(), lambda auth: auth.admin.reset_second_factor(who))
    sentence = "removed; their sessions are ended" if removed else "had none; their sessions are ended"
    where.tell({"user": who, "removed": removed}, f"{who}: second factor {sentence}.")


def set_disabled(who: str, where: Where, *, disabled: bool) -> None:
    """Keep somebody out, or let them in again."""
    _run(where.settings(), lambda auth: auth.admin.disable(who) if disabled else auth.admin.enable(who))
    where.tell({"user": who, "disabled": disabled}, f"{who} {'is kept out' if disabled else 'may sign in again'}.")


def delete(who: str, where: Where) -> None:
    """Remove somebody for good."""
    _run(where.settings(), lambda auth: auth.admin.delete(who))
    where.tell({"user": who, "deleted": True}, f"{who} is removed.")


def list_roles(where: Where) -> None:
    """List the roles of the policy."""

    async def found(auth: Auth) -> list[dict[str, object]]:
        in_force = auth.policies.policy
        return [
            {
                "role": name,
                "description": definition.description,
                "inherits": list(definition.inherits),
                "permissions": sorted(in_force.permissions("", {name})),
            }
            for name, definition in sorted(in_force.roles.items())
        ]

    where.table("Roles", _run(where.settings(), found), empty="none")


def grant(who: str, role: str, tenant: str, where: Where) -> None:
    """Give a role."""
    _run(where.settings(), lambda auth: auth.admin.grant(who, role, tenant=tenant))
    where.tell({"user": who, "role": role, "tenant": tenant}, f"{who} is {role} in {tenant}.")


def withdraw(who: str, role: str, tenant: str, where: Where) -> None:
    """Take a role away."""
    _run(where.settings(), lambda auth: auth.admin.withdraw(who, role, tenant=tenant))
    where.tell({"user": who, "role": role, "tenant": tenant}, f"{who} is {role} in {tenant} no longer.")


def create_key(wanted: Wanted, where: Where) -> None:
    """Make a key."""
    limits = KeyLimits(per_minute=wanted.per_minute, per_hour=wanted.per_minute * 60, per_day=wanted.per_minute * 1_440)

    async def made(auth: Auth) -> MadeKey:
        unknown = wanted.permissions - auth.policies.policy.vocabulary
        if unknown:
            raise ConfigurationError(f"there is no permission {', '.join(sorted(unknown))}; `roles list` shows them")
        new = NewKey(
            service=wanted.service,
            tenant=wanted.tenant,
            permissions=wanted.permissions,
            limits=limits,
            lifetime=timedelta(days=wanted.days),
            label=wanted.label,
        )
        return await auth.admin.create_key(new)

    _tell_key(_run(where.settings(), made), where)


def list_keys(tenant: str, where: Where) -> None:
    """List keys."""
    found = _run(where.settings(), lambda auth: auth.keys.of_tenant(tenant))
    where.table(f"Keys of {tenant}", [_key(each) for each in found], empty="none")


def rotate_key(key_id: str, where: Where) -> None:
    """Make a successor."""
    _tell_key(_run(where.settings(), lambda auth: auth.admin.rotate_key(key_id)), where)


def revoke_key(key_id: str, where: Where) -> None:
    """Refuse a key."""
    _run(where.settings(), lambda auth: auth.admin.revoke_key(key_id))
    where.tell({"key": key_id, "revoked": True}, f"{key_id} is refused from now on.")


def list_sessions(who: str, where: Where) -> None:
    """List sessions."""
    found = _run(where.settings(), lambda auth: auth.admin.sessions(who))
    rows: list[dict[str, object]] = [
        {
            "session": each.id,
            "kind": str(each.kind),
            "label": each.label,
            "tenant": each.tenant,
            "last used": each.last_used_at,
            "expires": each.expires_at,
        }
        for each in found
    ]
    where.table(f"Sessions of {who}", rows, empty="none")


def end_session(session_id: str, where: Where) -> None:
    """End one session."""
    _run(where.settings(), lambda auth: auth.admin.end_session(session_id))
    where.tell({"session": session_id, "ended": True}, f"{session_id} is ended.")


def end_sessions(who: str, where: Where) -> None:
    """End all sessions of somebody."""
    ended = _run(where.settings(), lambda auth: auth.admin.end_sessions(who))
    where.tell({"user": who, "ended": ended}, f"{who}: {counted(ended, 'session')} ended.")


def list_signing_keys(where: Where) -> None:
    """List signing keys."""
    found = _run(where.settings(), lambda auth: auth.admin.signing_keys())
    rows: list[dict[str, object]] = [
        {
            "key": each.kid,
            "algorithm": each.algorithm,
            "state": each.state,
            "signs from": each.signs_from,
            "verifies until": each.verifies_until,
        }
        for each in found
    ]
    where.table("Signing keys", rows, empty="none")


def rotate_signing_key(where: Where) -> None:
    """Make a new signing key."""
    kid = _run(where.settings(), lambda auth: auth.admin.rotate_signing_key())
    where.tell({"key": kid}, f"{kid} signs from now on; the one before verifies until its last token is over.")


def remove_signing_key(kid: str, where: Where) -> None:
    """Stop believing a signing key."""
    removed = _run(where.settings(), lambda auth: auth.admin.remove_signing_key(kid))
    where.tell({"key": kid, "removed": removed}, f"{kid} {'is believed no longer' if removed else 'is no key here'}.")
    if not removed:
        sys.exit(1)


def _run(settings: AppSettings, work: Callable[[Auth], Awaitable[T]]) -> T:
    async def done() -> T:
        async with opened(settings) as auth:
            return await work(auth)

    return asyncio.run(done())


@asynccontextmanager
async def opened(settings: AppSettings) -> AsyncGenerator[Auth, None]:
    """The parts of sign-in on the service's own databases."""
    settings = with_tenants(settings)
    clock, secrets, databases = SystemClock(), load_secrets(settings), open_databases(settings)
    redactor = make_redactor(secrets)
    try:
        await prepare(settings, databases)
        audit = make_audit(settings, secrets, databases, clock, redactor)
        await audit.sink.open()
        sealer = make_sealer(settings, databases, clock)
        keeper = make_auth(settings, secrets, databases, clock, sealer=sealer, sink=audit.sink, redactor=redactor)
        try:
            await keeper.load_policy()
            await keeper.auth.open()
            yield keeper.auth
        finally:
            await keeper.stop()
    finally:
        await databases.close()


async def _user(auth: Auth, user: User) -> dict[str, object]:
    return {
        "user": user.id,
        "name": await auth.users.login_of(user),
        "tenant": user.tenant,
        "roles": [f"{each.role} in {each.tenant}" for each in sorted(user.grants)],
        "second_factor": (await auth.factor.status(user.id)).enabled,
        "state": user.state,
    }


def _key(key: ApiKey) -> dict[str, object]:
    return {
        "key": key.id,
        "service": key.service,
        "permissions": sorted(key.permissions),
        "expires": key.expires_at,
        "revoked": key.revoked_at,
        "last used": key.last_used_at,
        "replaced by": key.replaced_by,
        "label": key.label,
    }


def _tell_key(made: MadeKey, where: Where) -> None:
    sentence = f"This is shown once; send it as `X-API-Key`:\n{made.text}\nIts name is {made.key.id}, until {made.key.expires_at:%Y-%m-%d}."
    where.tell({"api_key": made.text, **_key(made.key)}, sentence)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[object]", value)))
    return "" if value is None else str(value)
