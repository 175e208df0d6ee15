"""People and programs for a running application: made in its data folder, signed in there, so that whoever tests the application has tokens of all kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator_app.cli._auth import opened
from orchestrator_app.composition.auth import AUDIENCE
from orchestrator_app.settings import PREFIX, AppSettings
from orchestrator_auth.api_keys import NewKey
from orchestrator_auth.jwt_service import TokenIssuer, TokenProfile, TokenRequest
from orchestrator_auth.models import ALL_TENANTS, Grant, KeyLimits
from orchestrator_auth.service import Auth
from orchestrator_auth.sessions import Begin
from orchestrator_config import Environment, Values, load
from orchestrator_kernel.ports import SystemClock

PEOPLE = {
    "admin": ("system_admin", ALL_TENANTS),
    "zoe": ("hotel_admin", "default"),
    "bob": ("hotel_admin", "garden"),
    "staff": ("hotel_staff", "default"),
}
UNLIMITED = KeyLimits(per_minute=None, per_hour=None, per_day=None)


class _Yesterday(SystemClock):
    def now(self) -> datetime:
        return super().now() - timedelta(days=1)


def make_people(environment: Mapping[str, str], data: Path) -> dict[str, str]:
    """Access tokens by name (see `PEOPLE`); besides `refresh`, `expired`, and `service`, an API key that may start and see calls of the tenant `default`."""
    sources = (Environment(environment, prefix=PREFIX), Values({"data_dir": data}, name="script"))
    settings = load(AppSettings, sources=sources).value

    async def made() -> dict[str, str]:
        async with opened(settings) as auth:
            return await _made(auth)

    return asyncio.run(made())


async def _made(auth: Auth) -> dict[str, str]:
    found: dict[str, str] = {}
    now = auth.clock.now()
    for name, (role, tenant) in PEOPLE.items():
        user = await auth.users.create(f"{name}@example.org", tenant=tenant, grants=[Grant(role, tenant)])
        begin = Begin(user_id=user.id, tenant=tenant, second_factor_at=now if name == "admin" else None)
        pair = await auth.sessions.begin(begin)
        found[name] = pair.access_token
        found["refresh"] = pair.refresh_token
    profile = TokenProfile(issuer=AUDIENCE, audience=AUDIENCE)
    request = TokenRequest(subject="u-0", tenant="default", roles={"hotel_admin"})
    found["expired"] = await TokenIssuer(profile, auth.ring, clock=_Yesterday(), lifetime=900).issue(request)
    new = NewKey(service="tests", tenant="default", permissions={"call:start", "call:view"}, limits=UNLIMITED)
    found["service"] = (await auth.admin.create_key(new)).text
    return found
