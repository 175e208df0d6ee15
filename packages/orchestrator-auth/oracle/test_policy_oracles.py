"""Our decisions against casbin's and Cedar's, on random policies and random requests."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import casbin
import cedarpy
import pytest

from orchestrator_auth.models import ALL_TENANTS, ServiceContext, UserContext
from orchestrator_auth.rbac import Condition, Policy, PolicySource, RoleDefinition

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROLES = ("a", "b", "c", "d", "e")
TENANTS = ("t1", "t2", "t3")
PERMISSIONS = ("call:view", "call:end", "user:view", "user:update", "secret:rotate")


@dataclass(frozen=True)
class Request:
    roles: frozenset[str]
    home: str
    permission: str
    tenant: str
    owner: str | None
    service: bool
    factor_age: int | None


def a_policy(chance: random.Random) -> PolicySource:
    def roles(names: tuple[str, ...]) -> dict[str, RoleDefinition]:
        return {
            name: RoleDefinition(
                permissions=frozenset(chance.sample(PERMISSIONS, chance.randrange(3))),
                inherits=tuple(chance.sample(ROLES[: ROLES.index(name)], chance.randrange(ROLES.index(name) + 1))),
            )
            for name in names
        }

    conditions = {
        permission: Condition(
            own_tenant=chance.random() < 0.8,
            own_resource=chance.random() < 0.3,
            unless=chance.choice(("", *PERMISSIONS)),
            second_factor_within=chance.choice((None, None, 300)),
            service_only=chance.random() < 0.2,
        )
        for permission in chance.sample(PERMISSIONS, chance.randrange(4))
    }
    own = {tenant: roles(tuple(chance.sample(ROLES, 2))) for tenant in TENANTS if chance.random() < 0.3}
    return PolicySource(roles=roles(ROLES), tenants=own, conditions=conditions)


def a_request(chance: random.Random) -> Request:
    return Request(
        roles=frozenset(chance.sample(ROLES, chance.randrange(4))),
        home=chance.choice((*TENANTS, ALL_TENANTS)),
        permission=chance.choice(PERMISSIONS),
        tenant=chance.choice(TENANTS),
        owner=chance.choice(("me", "other", None)),
        service=chance.random() < 0.3,
        factor_age=chance.choice((None, 10, 299, 300, 301, 4000)),
    )


def ours(policy: Policy, request: Request) -> bool:
    held = policy.permissions(request.home, request.roles)
    actor: UserContext | ServiceContext
    if request.service:
        actor = ServiceContext(service="me", key_id="k", tenant=request.home, permissions=held)
    else:
        shown = None if request.factor_age is None else NOW - timedelta(seconds=request.factor_age)
        actor = UserContext(user_id="me", tenant=request.home, permissions=held, second_factor_at=shown)
    owner = actor.id if request.owner == "me" else request.owner
    return policy.decide(actor, request.permission, tenant=request.tenant, owner=owner, now=NOW).allowed


def definitions(source: PolicySource) -> Iterator[tuple[str, str, RoleDefinition]]:
    """Every role of every home, as that home sees it."""
    for home in (*TENANTS, ALL_TENANTS):
        for name, definition in {**source.roles, **source.tenants.get(home, {})}.items():
            yield home, name, definition


# --- Cedar: roles are parents of roles, conditions stand in `when`


def cedar_of(source: PolicySource) -> tuple[str, list[dict]]:
    policies, entities = [], []
    for home, name, definition in definitions(source):
        parents = [{"type": "Role", "id": f"{home}/{parent}"} for parent in definition.inherits]
        entities.append({"uid": {"type": "Role", "id": f"{home}/{name}"}, "attrs": {}, "parents": parents})
        for permission in definition.permissions:
            role = f'Role::"{home}/{name}"'
            policies.append(
                f'permit(principal in {role}, action == Action::"{permission}", resource){when(source, permission, home)};'
            )
    return "\n".join(policies), entities


def when(source: PolicySource, permission: str, home: str) -> str:
    condition = source.conditions.get(permission, Condition())
    terms = []
    if condition.own_tenant and home != ALL_TENANTS:
        terms.append(f'context.tenant == "{home}"')
    if condition.service_only:
        terms.append("context.service")
    if condition.own_resource:
        lifted = f' || context.held.contains("{condition.unless}")' if condition.unless else ""
        terms.append(f'(context.owner == "me"{lifted})')
    if condition.second_factor_within is not None:
        terms.append(f"context.age <= {condition.second_factor_within:.0f}")
    return f" when {{ {' && '.join(terms)} }}" if terms else ""


def cedar_says(compiled: tuple[str, list[dict]], requests: list[Request], policy: Policy) -> list[bool]:
    text, roles = compiled
    answers = []
    base = cedarpy.PolicySet.from_str(text) if hasattr(cedarpy.PolicySet, "from_str") else text
    for request in requests:
        parents = [{"type": "Role", "id": f"{request.home}/{role}"} for role in request.roles]
        me = {"uid": {"type": "User", "id": "me"}, "attrs": {}, "parents": parents}
        resource = {"uid": {"type": "Thing", "id": "x"}, "attrs": {}, "parents": []}
        age = 100_000 if request.service or request.factor_age is None else request.factor_age
        asked = {
            "principal": 'User::"me"',
            "action": f'Action::"{request.permission}"',
            "resource": 'Thing::"x"',
            "context": {
                "tenant": request.tenant,
                "service": request.service,
                "owner": request.owner or "nobody",
                "age": age,
                # `unless` asks for another permission: who holds it is compared with casbin below.
                "held": sorted(policy.permissions(request.home, request.roles)),
            },
        }
        result = cedarpy.is_authorized(asked, base, json.dumps([*roles, me, resource]))
        answers.append(result.allowed)
    return answers


# --- casbin: roles with domains; it decides who holds what where

MODEL = """
[request_definition]
r = sub, dom, act
[policy_definition]
p = sub, dom, act
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.act == p.act
"""


def casbin_of(source: PolicySource) -> casbin.Enforcer:
    model = casbin.Model()
    model.load_model_from_text(MODEL)
    enforcer = casbin.Enforcer(model)
    for home, name, definition in definitions(source):
        for permission in definition.permissions:
            enforcer.add_policy(name, home, permission)
        for parent in definition.inherits:
            enforcer.add_grouping_policy(name, parent, home)
    return enforcer


def compare(policies: int, requests: int, seed: int) -> int:
    chance = random.Random(seed)
    allowed = 0
    for _ in range(policies):
        source = a_policy(chance)
        policy, cedar, other = Policy(source), cedar_of(source), casbin_of(source)
        asked = [a_request(chance) for _ in range(requests)]
        answers = [ours(policy, request) for request in asked]
        assert answers == cedar_says(cedar, asked, policy)
        for request in asked:
            held = any(other.enforce(role, request.home, request.permission) for role in request.roles)
            assert held == (request.permission in policy.permissions(request.home, request.roles))
        allowed += sum(answers)
    return allowed


def test_equal_to_casbin_and_cedar() -> None:
    assert compare(60, 25, seed=7) > 50


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_equal_to_casbin_and_cedar_a_hundred_thousand_times(seed) -> None:
    assert compare(500, 10, seed) > 100
