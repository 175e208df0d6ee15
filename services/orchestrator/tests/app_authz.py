"""Every endpoint and everybody who could ask: what is declared, worked out again from the policy's own text, against what is answered."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from app_support import AUTHORIZED, TENANT, Client, new_call
from fastapi import FastAPI

from orchestrator_app.composition.auth import AUDIENCE
from orchestrator_auth.api_keys import NewKey
from orchestrator_auth.fastapi_guard import declared_rules
from orchestrator_auth.guard import Proof, Rule, Where
from orchestrator_auth.jwt_service import TokenIssuer, TokenProfile, TokenRequest
from orchestrator_auth.models import ALL_TENANTS, Grant, KeyLimits
from orchestrator_auth.rbac import default_policy_text
from orchestrator_auth.service import Auth
from orchestrator_auth.sessions import Begin
from orchestrator_kernel.ports import SystemClock

OTHER = "garden"
SAFE = {"GET", "HEAD", "OPTIONS"}
TOGETHER = 8
INVITED = "invited@example.org"
POLICY = tomllib.loads(default_policy_text())

NOBODY, DENIED, IN = "401", "403", "in"


def role_permissions(role: str, vocabulary: frozenset[str]) -> frozenset[str]:
    """What a role may do, from the text of the policy."""
    table = POLICY["roles"][role]
    found = set[str]()
    for each in table.get("permissions", []):
        found |= {one for one in vocabulary if re.fullmatch(re.escape(each).replace(r"\*", ".*"), one)}
    for parent in table.get("inherits", []):
        found |= role_permissions(parent, vocabulary)
    return frozenset(found)


@dataclass(frozen=True)
class Identity:
    """Somebody who asks, and what is true of them; `tenant` empty for one who is nobody."""

    name: str
    headers: Mapping[str, str]
    tenant: str = ""
    permissions: frozenset[str] = frozenset()
    service: bool = False
    fresh: bool = False
    csrf: bool = True


@dataclass(frozen=True)
class Operation:
    """A method of a path with its declaration."""

    method: str
    path: str
    rule: Rule | Proof | None
    parameters: tuple[str, ...] = ()
    has_body: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations(app: FastAPI) -> list[Operation]:
    """All of the OpenAPI document, with what their routes declare."""
    rules = {(method, path): rule for path, methods, rule in declared_rules(app) for method in methods}
    return [
        Operation(
            method.upper(),
            path,
            rules[method.upper(), path],
            tuple(each["name"] for each in described.get("parameters", []) if each["in"] == "query"),
            "requestBody" in described,
        )
        for path, methods in app.openapi()["paths"].items()
        for method, described in methods.items()
    ]


def sockets(app: FastAPI) -> list[Operation]:
    """All WebSocket routes."""
    return [Operation("WEBSOCKET", path, rule) for path, methods, rule in declared_rules(app) if rule and not methods]


def expected(operation: Operation, who: Identity) -> str:
    """What the declaration says."""
    rule = operation.rule
    if not isinstance(rule, Rule):
        return IN
    if not who.tenant or (not who.csrf and operation.method not in SAFE):
        return NOBODY
    if rule.only != "any" and (rule.only == "service") is not who.service:
        return DENIED
    if rule.second_factor_within is not None and not who.fresh:
        return DENIED
    if not rule.permission:
        return IN
    condition = POLICY["conditions"].get(rule.permission, {})
    reach = who.tenant == ALL_TENANTS or (rule.tenant.where is not Where.PLATFORM and who.tenant == TENANT)
    if rule.tenant.where is Where.OWN:
        reach = True
    sure = who.fresh or "second_factor_within" not in condition
    return IN if rule.permission in who.permissions and reach and sure else DENIED


def outcome(answer: httpx.Response) -> str:
    """What was answered: refused as nobody, refused as somebody, or let in, whatever became of it then."""
    code = answer.json()["code"] if answer.headers.get("content-type") == "application/problem+json" else ""
    if answer.status_code == 401 and code in {"authentication_failed", "invalid_token"}:
        return NOBODY
    if answer.status_code == 403 and code in {"forbidden", "second_factor_required"}:
        return DENIED
    return IN


def agrees(operation: Operation, who: Identity, answer: httpx.Response) -> bool:
    """Whether the answer is the one that is declared. What belongs to another tenant may be as if it were not there."""
    wanted, got = expected(operation, who), outcome(answer)
    if answer.status_code >= 500 and answer.json()["code"] in {"internal_error", "access_not_decided"}:
        return False
    if isinstance(operation.rule, Proof):
        return answer.status_code >= 400
    elsewhere = isinstance(operation.rule, Rule) and operation.rule.tenant.where is Where.HANDLER
    return got == wanted or (wanted == DENIED and elsewhere and answer.status_code == 404)


@dataclass
class Stage:
    """A service with people of all kinds, and things of the tenant TENANT to ask for."""

    client: Client
    auth: Auth
    identities: list[Identity] = field(default_factory=list)
    things: dict[str, str] = field(default_factory=dict)

    @property
    def vocabulary(self) -> frozenset[str]:
        return self.auth.policies.policy.vocabulary

    async def person(self, role: str, tenant: str, *, fresh: bool = False, label: str = "") -> Identity:
        """Somebody with a role, signed in."""
        name = label or f"{role} of {tenant}{' with second factor' if fresh else ''}"
        login = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") + "@example.org"
        user = await self.auth.users.create(login, tenant=tenant, grants=[Grant(role, tenant)])
        shown = datetime.now(UTC) if fresh else None
        pair = await self.auth.sessions.begin(Begin(user_id=user.id, tenant=tenant, second_factor_at=shown))
        headers = {"authorization": f"Bearer {pair.access_token}"}
        return Identity(name, headers, tenant, role_permissions(role, self.vocabulary), fresh=fresh)

    async def browser(self, role: str, tenant: str, *, csrf: bool) -> Identity:
        """Somebody with a cookie, whose page sends the token that belongs to it or does not."""
        name = f"{role} of {tenant} in a browser{'' if csrf else ' led by another page'}"
        user = await self.auth.users.create(f"b{csrf}@example.org", tenant=tenant, grants=[Grant(role, tenant)])
        session, cookie = await self.auth.sessions.begin_browser(Begin(user_id=user.id, tenant=tenant))
        headers = {"cookie": f"__Host-session={cookie}"}
        if csrf:
            headers["x-csrf-token"] = self.auth.sessions.csrf_token(session)
        return Identity(name, headers, tenant, role_permissions(role, self.vocabulary), csrf=csrf)

    async def service(self, name: str, tenant: str, permissions: frozenset[str]) -> Identity:
        """A program with a key."""
        limits = KeyLimits(per_minute=None, per_hour=None, per_day=None)
        new = NewKey(service=name, tenant=tenant, permissions=permissions, limits=limits)
        made = await self.auth.admin.create_key(new)
        return Identity(f"service {name}", {"x-api-key": made.text}, tenant, permissions, service=True)

    async def strangers(self) -> list[Identity]:
        """Those who are nobody, or no longer somebody."""
        ended = await self.person("system_admin", ALL_TENANTS, fresh=True, label="ended session")
        user = await self.auth.users.find("ended-session@example.org")
        assert user is not None
        await self.auth.sessions.end_all(user.id, reason="over")
        revoked = await self.service("revoked", ALL_TENANTS, self.vocabulary)
        await self.auth.admin.revoke_key((await self.auth.keys.of_tenant(ALL_TENANTS))[-1].id)
        profile = TokenProfile(issuer=AUDIENCE, audience=AUDIENCE, max_lifetime=960)
        request = TokenRequest(subject="u-old", tenant=ALL_TENANTS, roles={"system_admin"})
        expired = await TokenIssuer(profile, self.auth.ring, clock=Past(), lifetime=900).issue(request)
        elsewhere = TokenProfile(issuer=AUDIENCE, audience="another", max_lifetime=960)
        foreign = await TokenIssuer(elsewhere, self.auth.ring, clock=SystemClock(), lifetime=900).issue(request)
        found = {
            "nobody": {},
            "garbage": {"authorization": "Bearer garbage"},
            "two credentials": {**AUTHORIZED, "x-api-key": "ork_x"},
            "expired token": {"authorization": f"Bearer {expired}"},
            "token for another service": {"authorization": f"Bearer {foreign}"},
            "ended session": ended.headers,
            "revoked key": revoked.headers,
        }
        return [Identity(name, headers) for name, headers in found.items()]

    async def fill(self) -> None:
        """Make the things: a call, somebody, a key."""
        call_id = new_call()
        await self.client.event(call_id, "call_started")
        victim = await self.auth.users.create(
            "victim@example.org", tenant=TENANT, grants=[Grant("hotel_staff", TENANT)]
        )
        key = await self.auth.admin.create_key(NewKey(service="old", tenant=TENANT, permissions={"call:view"}))
        self.things = {
            "call_id": call_id,
            "user_id": victim.id,
            "role": "guest_user",
            "key_id": key.key.id,
            "name": "tts_service",
            "client": "ip:192.0.2.9",
        }

    async def intact(self) -> bool:
        """Whether what belongs to the tenant is as it was made."""
        call = await self.client.view(self.things["call_id"])
        [key] = [each for each in await self.auth.keys.of_tenant(TENANT) if each.id == self.things["key_id"]]
        made = [each for each in await self.auth.keys.of_tenant(TENANT) if each.service == "new"]
        victim = await self.auth.users.get(self.things["user_id"])
        whole = victim.state == "invited" and victim.grants == {Grant("hotel_staff", TENANT)}
        invited = await self.auth.users.find(INVITED)
        unchanged = key.revoked_at is None and not key.replaced_by and not made
        return call["state"] == "active" and unchanged and whole and invited is None

    async def wrong(self, every: Iterable[Operation]) -> list[str]:
        """Every answer that is not the declared one."""
        pairs = [(operation, who) for operation in every for who in self.identities]
        found: list[str] = []
        # Those who are to be refused come first: what they ask for must still be there after them.
        for wanted in (False, True):
            now = iter([pair for pair in pairs if (expected(*pair) == IN) is wanted])
            told = await asyncio.gather(*[self._ask_all(now) for _ in range(TOGETHER)])
            found += [each for some in told for each in some]
            if not wanted and not await self.intact():
                found.append("something was changed by those who may not")
        return found

    async def _ask_all(self, pairs: Iterator[tuple[Operation, Identity]]) -> list[str]:
        found: list[str] = []
        for operation, who in pairs:
            try:
                answer = await self.ask(operation, who)
            except (AssertionError, httpx.TransportError) as failed:
                # An answer that the document does not list, or none at all.
                found.append(f"{operation} asked by {who.name}: {failed!r}")
                continue
            if not agrees(operation, who, answer):
                told = f"{answer.status_code} {answer.text[:200]}, declared {expected(operation, who)}"
                found.append(f"{operation} asked by {who.name}: {told}")
        return found

    async def ask(self, operation: Operation, who: Identity) -> httpx.Response:
        """One request, of a form that gets as far as the decision and, where others could be harmed, no further."""
        path = re.sub(r"\{(\w+)\}", lambda match: self.things.get(match[1], "x"), operation.path)
        query = {name: TENANT for name in operation.parameters if name in {"tenant", "hotel_id"}}
        body = BODIES.get(str(operation), [])
        return await self.client.http.request(
            operation.method,
            path,
            params=query,
            headers=dict(who.headers),
            json=body if operation.has_body else None,
        )


class Past(SystemClock):
    """Two hours ago."""

    def now(self) -> datetime:
        return super().now() - timedelta(hours=2)


BODIES: Mapping[str, Any] = {
    "POST /v1/call/start": {"caller_id": "+4915112345678", "tenant_id": TENANT},
    "POST /v1/calls/{call_id}/end": {"reason": "asked"},
    "POST /auth/api-keys": {"service": "new", "tenant": TENANT, "permissions": ["call:view"]},
    "POST /auth/users": {"email": INVITED, "tenant": TENANT, "role": "guest_user"},
    "POST /auth/logout": {"session_id": "0" * 32},
    "POST /auth/mfa/enroll/verify": {"code": "000000"},
}
"""Where the handler decides, it has to be reached; elsewhere a body of no use stops an allowed request before it does anything."""


async def stage(client: Client, *, roles: Iterator[tuple[str, str]] | None = None) -> Stage:
    """The stage with its people; `roles` takes fewer than all roles in all places."""
    found = Stage(client, client.app.registry.get(Auth))
    await found.fill()
    everywhere = ((role, tenant) for role in POLICY["roles"] for tenant in (TENANT, OTHER, ALL_TENANTS))
    people = [await found.person(role, tenant) for role, tenant in roles or everywhere]
    found.identities = [
        *await found.strangers(),
        *people,
        await found.person("hotel_admin", TENANT, fresh=True),
        await found.person("system_admin", ALL_TENANTS, fresh=True),
        await found.browser("hotel_admin", TENANT, csrf=False),
        await found.browser("hotel_admin", TENANT, csrf=True),
        await found.service("idle", TENANT, frozenset()),
        await found.service("own", TENANT, found.vocabulary),
        await found.service("strange", OTHER, found.vocabulary),
        await found.service("platform", ALL_TENANTS, found.vocabulary),
        Identity("the access token", AUTHORIZED, ALL_TENANTS, found.vocabulary, fresh=True),
    ]
    return found
