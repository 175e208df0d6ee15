"""What a policy allows, what it refuses, and what becomes of a file that is no policy."""

from __future__ import annotations

import asyncio
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from auth_support import HandClock
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_auth.exceptions import AccessDenied, PolicyInvalid, SecondFactorRequired
from orchestrator_auth.jwt_service import VerifiedToken
from orchestrator_auth.models import ALL_TENANTS, Grant, Permission, ServiceContext, UserContext
from orchestrator_auth.rbac import (
    Condition,
    Policy,
    PolicyFile,
    PolicySource,
    Reason,
    RoleDefinition,
    context_of,
    default_policy,
    default_policy_text,
    load_policy,
    require,
)
from orchestrator_kernel.exceptions import OrchestratorError, ValidationError

NOW = HandClock().now()
POLICY = default_policy()
FIFTEEN = {f"{r}:{v}" for r, vs in {"call": "start end view manage", "hotel": "create update delete view", "system": "config monitor admin", "user": "create update delete view"}.items() for v in vs.split()}  # fmt: skip


def user(policy: Policy, *roles: str, tenant: str = "hotel-7", second_factor_at=None) -> UserContext:
    permissions = policy.permissions(tenant, roles)
    return UserContext(
        user_id="u-1", tenant=tenant, roles=set(roles), permissions=permissions, second_factor_at=second_factor_at
    )


# --- the policy that comes with the package


@pytest.mark.parametrize(
    ("role", "held"),
    [
        ("system_admin", FIFTEEN),
        (
            "hotel_admin",
            {
                "call:start",
                "call:end",
                "call:view",
                "call:manage",
                "hotel:update",
                "hotel:view",
                "user:view",
                "user:create",
                "user:update",
            },
        ),
        ("hotel_staff", {"call:start", "call:view", "hotel:view"}),
        ("guest_user", {"call:view"}),
        ("operator", {"system:monitor"}),
        ("auditor", {"user:view"}),
        ("nobody", set()),
    ],
)
def test_the_roles_hold_what_they_should_of_the_fifteen(role, held) -> None:
    assert POLICY.permissions("hotel-7", {role}) & FIFTEEN == held


def test_the_administrator_may_do_everything_there_is() -> None:
    assert POLICY.permissions(ALL_TENANTS, {"system_admin"}) == {str(permission) for permission in Permission}


def test_nobody_but_the_platform_reaches_another_tenant() -> None:
    assert POLICY.decide(user(POLICY, "hotel_admin"), "call:view", tenant="hotel-7").allowed
    assert POLICY.decide(user(POLICY, "hotel_admin"), "call:view", tenant="hotel-8").reason is Reason.OTHER_TENANT
    assert POLICY.decide(user(POLICY, "system_admin", tenant=ALL_TENANTS), "call:view", tenant="hotel-8").allowed


def test_a_user_without_roles_may_do_nothing_and_one_without_a_tenant_is_none() -> None:
    """The empty list of hotels once meant all of them."""
    for permission in Permission:
        assert POLICY.decide(user(POLICY), permission, tenant="hotel-7").reason is Reason.NO_PERMISSION
    token = VerifiedToken(
        subject="u", token_id="t", key_id="k", issued_at=0, expires_at=1, roles=frozenset({"system_admin"})
    )
    with pytest.raises(ValidationError):
        context_of(token, POLICY)


# --- conditions

CONDITIONED = Policy(
    PolicySource(
        roles={
            "all": RoleDefinition(permissions=frozenset({"*"})),
            "some": RoleDefinition(
                permissions=frozenset({"session:end", "secret:rotate", "slo:evaluate", "hotel:view"})
            ),
        },
        conditions={
            "session:end": Condition(own_resource=True, unless="user:update"),
            "secret:rotate": Condition(second_factor_within=300),
            "slo:evaluate": Condition(service_only=True),
            "hotel:view": Condition(own_tenant=False),
        },
    )
)


def test_one_ends_only_ones_own_sessions_unless_permitted() -> None:
    """Any session id was once accepted, so that everybody could sign out everybody."""
    someone, admin = user(CONDITIONED, "some"), user(CONDITIONED, "all")
    assert CONDITIONED.decide(someone, "session:end", tenant="hotel-7", owner="u-1").allowed
    for owner in ("u-2", None, ""):
        assert CONDITIONED.decide(someone, "session:end", tenant="hotel-7", owner=owner).reason is Reason.NOT_OWNER
    assert CONDITIONED.decide(admin, "session:end", tenant="hotel-7", owner="u-2").allowed


@pytest.mark.parametrize(
    ("age", "allowed"), [(0, True), (299, True), (300, True), (301, False), (-1, False), (None, False)]
)
def test_a_second_factor_has_to_be_recent(age, allowed) -> None:
    shown = None if age is None else NOW - timedelta(seconds=age)
    decision = CONDITIONED.decide(
        user(CONDITIONED, "some", second_factor_at=shown), "secret:rotate", tenant="hotel-7", now=NOW
    )
    assert decision.allowed is allowed
    if not allowed:
        with pytest.raises(SecondFactorRequired):
            require(decision)


def test_without_the_time_nothing_is_recent() -> None:
    decision = CONDITIONED.decide(user(CONDITIONED, "some", second_factor_at=NOW), "secret:rotate")
    assert decision.reason is Reason.SECOND_FACTOR


def test_what_is_for_services_is_for_services() -> None:
    service = ServiceContext(
        service="prometheus", key_id="k", tenant="hotel-7", permissions={"slo:evaluate", "secret:rotate"}
    )
    assert CONDITIONED.decide(service, "slo:evaluate", tenant="hotel-7").allowed
    assert CONDITIONED.decide(user(CONDITIONED, "all"), "slo:evaluate", tenant="hotel-7").reason is Reason.SERVICE_ONLY
    # A program has no second factor to show.
    assert CONDITIONED.decide(service, "secret:rotate", tenant="hotel-7", now=NOW).reason is Reason.SECOND_FACTOR


def test_a_condition_can_open_a_permission_to_other_tenants() -> None:
    assert CONDITIONED.decide(user(CONDITIONED, "some"), "hotel:view", tenant="hotel-8").allowed
    assert not CONDITIONED.decide(user(CONDITIONED, "some"), "session:end", tenant="hotel-8", owner="u-1").allowed


def test_a_refusal_says_nothing_of_its_reason() -> None:
    with pytest.raises(AccessDenied) as caught:
        require(POLICY.decide(user(POLICY, "hotel_staff"), "call:view", tenant="hotel-8"))
    assert caught.value.status == 403
    assert "tenant" not in caught.value.reason or "other tenant" not in str(caught.value)
    require(POLICY.decide(user(POLICY, "hotel_staff"), "call:view", tenant="hotel-7"))


# --- tenants and inheritance


def test_a_tenant_defines_roles_for_itself() -> None:
    policy = load_policy(
        """
        version = 1
        vocabulary = ["spa:book"]
        [roles.clerk]
        permissions = ["call:view", "call:start"]
        [roles.chief]
        inherits = ["clerk"]
        permissions = ["call:end"]
        [tenants.hotel-7.roles.clerk]
        permissions = ["spa:book"]
        [tenants.hotel-7.roles.masseur]
        inherits = ["clerk"]
        """
    )
    assert policy.permissions("hotel-8", {"chief"}) == {"call:view", "call:start", "call:end"}
    assert policy.permissions("hotel-7", {"chief"}) == {"spa:book", "call:end"}
    assert policy.permissions("hotel-7", {"masseur"}) == {"spa:book"}
    assert policy.permissions("hotel-8", {"masseur"}) == set()
    assert policy.permissions(ALL_TENANTS, {"clerk"}) == {"call:view", "call:start"}


names = st.sampled_from(["a", "b", "c", "d", "e"])
permissions = st.frozensets(st.sampled_from(sorted(FIFTEEN)), max_size=4)
acyclic = st.fixed_dictionaries(
    {
        name: st.builds(
            RoleDefinition,
            permissions=permissions,
            inherits=st.lists(st.sampled_from("abcde"[:index]), unique=True).map(tuple) if index else st.just(()),
        )
        for index, name in enumerate("abcde")
    }
)


@given(acyclic, st.frozensets(names))
def test_a_role_holds_what_can_be_reached_from_it(roles, held) -> None:
    reached, waiting = set(), list(held)
    while waiting:
        role = waiting.pop()
        reached |= roles[role].permissions
        waiting += roles[role].inherits
    assert Policy(PolicySource(roles=roles)).permissions("t", held) == reached


@given(acyclic, st.frozensets(names, min_size=1), st.sampled_from(sorted(FIFTEEN)))
def test_an_explanation_says_what_the_decision_says(roles, held, permission) -> None:
    policy = Policy(PolicySource(roles=roles))
    explanation = policy.explain([Grant(role, "t") for role in held], permission, "t")
    assert explanation.allowed is (permission in policy.permissions("t", held))


def test_an_explanation_names_the_way_the_need_and_who_could() -> None:
    found = POLICY.explain([Grant("hotel_admin", "hotel-7")], "call:view", "hotel-7")
    assert found.lines == ("granted by hotel_admin < hotel_staff < guest_user in hotel-7", "needs: the tenant hotel-7")
    found = POLICY.explain([Grant("hotel_admin", "hotel-8"), Grant("guest_user", "hotel-7")], "call:end", "hotel-7")
    assert not found.allowed
    assert found.lines == ("guest_user in hotel-7 does not hold it", "not granted; held by: hotel_admin, system_admin")
    found = POLICY.explain([Grant("system_admin", ALL_TENANTS)], "secret:rotate", "hotel-7")
    assert found.lines[1] == "needs: the tenant hotel-7; a second factor within 300 s"
    assert POLICY.explain([], "call:fly", "hotel-7").lines == ("no such permission",)
    assert POLICY.explain([Grant("ghost", "t")], "call:view", "t").lines[0] == "ghost in t is unknown to the policy"


# --- files


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "version"),
        ("version = 2", "version"),
        ("version = 1\nrolls = {}", "unknown key 'rolls'"),
        ("version = ", "not TOML"),
        ("version = 1\n[roles.a]\npermissions = 'call:view'", "roles.a.permissions: must be a list"),
        ("version = 1\n[roles.a]\npermissions = [1]", "roles.a.permissions: must be a list"),
        ("version = 1\n[roles.a]\npermissions = ['call:veiw']", "there is no permission 'call:veiw'"),
        ("version = 1\n[roles.a]\npermissions = ['cal*']", "there is no permission 'cal*'"),
        ("version = 1\n[roles.a]\npermissions = ['spa:*']", "there is no permission 'spa:*'"),
        ("version = 1\n[roles.a]\npermissions = ['call:view', 'call:view']", "twice"),
        ("version = 1\n[roles.a]\nperms = []", "unknown key 'perms'"),
        ("version = 1\n[roles.A]", "roles: 'A'"),
        ("version = 1\n[roles.a]\ninherits = ['b']", "roles.a.inherits: there is no role 'b'"),
        ("version = 1\n[roles.a]\ninherits = ['a']", "inherits itself"),
        ("version = 1\n[roles.a]\ninherits = ['b']\n[roles.b]\ninherits = ['a']", "inherits itself"),
        ("version = 1\n[roles.a]\ndescription = 1", "roles.a.description"),
        ("version = 1\nroles = 1", "roles: must be a table"),
        ("version = 1\nvocabulary = ['x']", "vocabulary: 'x'"),
        ("version = 1\n[tenants.'a b'.roles.a]", "tenants: 'a b'"),
        ("version = 1\n[tenants.'*'.roles.a]", "tenants: '*'"),
        ("version = 1\n[tenants.t]\npermissions = []", "tenants.t: unknown key"),
        ("version = 1\n[roles.a]\n[tenants.t.roles.a]\ninherits = ['b']", "tenants.t.roles.a.inherits"),
        ("version = 1\n[roles.a]\n[roles.b]\ninherits=['a']\n[tenants.t.roles.a]\ninherits = ['b']", "tenants.t.roles: a role inherits itself"),
        ("version = 1\n[conditions.'x:y']", "conditions.x:y: there is no permission"),
        ("version = 1\n[conditions.'call:view']\nunless = 'x:y'", "there is no permission 'x:y'"),
        ("version = 1\n[conditions.'call:view']\nservice_only = 1", "service_only: must be a bool"),
        ("version = 1\n[conditions.'call:view']\nsecond_factor_within = true", "second_factor_within"),
        ("version = 1\n[conditions.'call:view']\nsecond_factor_within = 0", "second_factor_within"),
        ("version = 1\n[conditions.'call:view']\nsecond_factor_within = nan", "second_factor_within"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_policy_says_where(text, place) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(text)
    assert place in caught.value.message


def test_wildcards_stand_for_what_there_is() -> None:
    policy = load_policy("version = 1\nvocabulary = ['spa:book']\n[roles.a]\npermissions = ['call:*', 'spa:*']")
    assert policy.permissions("t", {"a"}) == {"call:start", "call:end", "call:view", "call:manage", "spa:book"}


toml_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["call:view", "a", "*", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["permissions", "inherits", "roles", "a", "t", "call:view", "unless"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def as_toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{name}" = {as_toml(each)}' for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f'"{value}"'


@given(toml_values, toml_values, toml_values)
def test_any_toml_is_a_policy_or_refused_in_the_house_way(roles, tenants, conditions) -> None:
    text = f"version = 1\nroles = {as_toml(roles)}\ntenants = {as_toml(tenants)}\nconditions = {as_toml(conditions)}"
    tomllib.loads(text)
    try:
        assert isinstance(load_policy(text), Policy)
    except OrchestratorError as error:
        assert isinstance(error, PolicyInvalid)  # noqa: PT017 - the point is the kind


async def test_a_file_is_reloaded_as_a_whole_and_a_broken_one_changes_nothing(tmp_path: Path, caplog) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(default_policy_text())
    clock = HandClock()
    held = PolicyFile(path, clock=clock)
    with pytest.raises(PolicyInvalid, match="call load first"):
        _ = held.policy
    first = await held.load()
    assert first.revision == default_policy().revision
    assert not await held.reload()

    path.write_text("version = 1\n[roles.a]\npermissions = ['call:")
    assert not await held.reload()
    assert held.policy is first
    assert held.error is not None
    assert "not in force" in caplog.text

    path.write_text("version = 1\n[roles.hotel_staff]\npermissions = ['call:view']")
    assert await held.reload()
    assert held.error is None
    assert held.policy.permissions("t", {"hotel_staff"}) == {"call:view"}

    path.unlink()
    assert not await held.reload()
    assert held.error is not None
    assert held.policy.permissions("t", {"hotel_staff"}) == {"call:view"}
    path.write_bytes(b"\xff")
    assert not await held.reload()
    path.write_bytes(b"#" * 1_000_001)
    assert not await held.reload()
    with pytest.raises(PolicyInvalid):
        await held.load()


async def test_a_watched_file_takes_effect_by_itself_and_is_never_half_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    texts = [f"version = 1\n[roles.a]\npermissions = {['call:view', 'call:end', 'user:view'][:n]}\n" + "# x\n" * n * 500 for n in (1, 2, 3)]  # fmt: skip
    path.write_text(texts[0])
    held = PolicyFile(path, clock=HandClock())
    await held.load()
    watching = asyncio.create_task(held.watch(1.0))
    sizes = set()
    for number in range(60):
        new = path.with_suffix(".new")
        new.write_text(texts[number % 3])
        new.replace(path)
        for _ in range(5):
            await asyncio.sleep(0.001)
            sizes.add(len(held.policy.permissions("t", {"a"})))
    watching.cancel()
    assert sizes == {1, 2, 3}
    assert held.error is None
