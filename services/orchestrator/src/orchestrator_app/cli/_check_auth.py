"""The state of sign-in and access, for `orchestrator check --security`: read from the settings and from what is really there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from orchestrator_app.composition.audit import make_audit
from orchestrator_app.composition.auth import AuthKeeper, make_auth, needs_second_factor
from orchestrator_app.composition.database import open_databases
from orchestrator_app.composition.redaction import make_redactor
from orchestrator_app.composition.sealing import make_sealer
from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_app.doors import open_docs
from orchestrator_app.settings import AppSettings
from orchestrator_auth.models import ALL_TENANTS, Grant, Role
from orchestrator_auth.service import Auth
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import SystemClock

__all__ = ["auth_findings"]

Row = tuple[str, str, str]


async def auth_findings(settings: AppSettings, secrets: AppSecrets) -> list[Row]:
    """Who may sign in, with what, and what keys are out."""
    rows = list(_settings(settings))
    try:
        async with _looked_at(settings, secrets) as keeper:
            await keeper.load_policy()
            revision = keeper.auth.policies.policy.revision
            file = settings.auth.policy_file
            rows.append(("roles", "ok", f"{f'from {file}' if file else 'built in'}, revision {revision}"))
            rows.append(await _administrators(keeper.auth))
            rows.append(await _signing_keys(keeper.auth))
            rows.append(await _api_keys(keeper.auth, settings))
    except OrchestratorError as error:
        fresh = error.code == "auth_store_failed" and settings.database.url is None
        state = "failed" if error.code == "policy_invalid" else "off"
        rows.append(("sign-in", state, "not begun yet: made at the first start" if fresh else error.message))
    return rows


def _settings(settings: AppSettings) -> Iterator[Row]:
    own = settings.auth
    if not own.access_token:
        yield "access token's reach", "off", "it opens nothing"
    elif settings.environment == "production":
        yield (
            "access token's reach",
            "weak",
            "everything on the platform; switch it off (auth.access_token) once there is an administrator",
        )
    else:
        yield "access token's reach", "ok", "everything on the platform"
    roles = needs_second_factor(settings)
    yield (
        "second factor",
        "ok" if roles else "open",
        f"needed for {', '.join(roles)}" if roles else "each may have one, nobody needs one",
    )
    yield _key_limits(settings)
    open_to_all = open_docs(settings)
    yield "documentation", "open" if open_to_all else "ok", "answers anyone" if open_to_all else "needs a credential"


def _key_limits(settings: AppSettings) -> Row:
    if settings.auth.shared_url is not None:
        return "limits of API keys", "ok", "counted by all processes together"
    if settings.database.url is None:
        return "limits of API keys", "ok", "counted in the one process"
    advice = "each process counts for itself; set auth.shared_url where there are several"
    return "limits of API keys", "weak", advice


async def _administrators(auth: Auth) -> Row:
    people = await auth.users.of_tenant(ALL_TENANTS)
    admins = [each for each in people if Grant(Role.SYSTEM_ADMIN, ALL_TENANTS) in each.grants and not each.disabled]
    able = [each for each in admins if each.password_hash]
    if not able:
        return "administrators", "off", "none yet: `orchestrator auth first-admin EMAIL`"
    bare = [each for each in able if not (await auth.factor.status(each.id)).enabled]
    if bare:
        return "administrators", "weak", f"{len(able)}, of whom {len(bare)} without a second factor"
    return "administrators", "ok", f"{len(able)}, each with a second factor"


async def _signing_keys(auth: Auth) -> Row:
    keys = await auth.ring.keys()
    if not keys:
        return "signing keys", "off", "made at the first start"
    newest = keys[-1]
    days = (auth.clock.now() - newest.signs_from).total_seconds() / 86_400
    return "signing keys", "ok", f"{newest.algorithm}, {max(days, 0):.0f} days old, {len(keys)} verify"


async def _api_keys(auth: Auth, settings: AppSettings) -> Row:
    now = auth.clock.now()
    places = [ALL_TENANTS, *settings.tenants]
    found = [key for place in places for key in await auth.keys.of_tenant(place)]
    alive = [key for key in found if key.revoked_at is None and now < key.expires_at]
    where = f"in Vault at {settings.vault.url}" if settings.vault.url else "in the database"
    if not alive:
        return "API keys", "ok", f"none in use, {where}"
    first = min(alive, key=lambda key: key.expires_at)
    return (
        "API keys",
        "ok",
        f"{len(alive)} in use, {where}; the next ends on {first.expires_at:%Y-%m-%d} ({first.service})",
    )


@asynccontextmanager
async def _looked_at(settings: AppSettings, secrets: AppSecrets) -> AsyncGenerator[AuthKeeper, None]:
    """The parts of sign-in, to look and not to change: no table is made, and no key."""
    clock, databases, redactor = SystemClock(), open_databases(settings), make_redactor(secrets)
    sealer = make_sealer(settings, databases, clock)
    audit = make_audit(settings, secrets, databases, clock, redactor)
    keeper = make_auth(settings, secrets, databases, clock, sealer=sealer, sink=audit.sink, redactor=redactor)
    try:
        yield keeper
    finally:
        await keeper.stop()
        await databases.close()
