"""Contexts are constructible exactly when valid, and hold what they were given."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_auth.exceptions import LoginRefused, SecondFactorRequired, TokenRefused
from orchestrator_auth.models import (
    ALL_TENANTS,
    Grant,
    KeyLimits,
    Permission,
    ServiceContext,
    UserContext,
    require_permission,
)
from orchestrator_kernel.contracts import PrincipalContract
from orchestrator_kernel.exceptions import OrchestratorError, ValidationError
from orchestrator_kernel.ports import Principal

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class TestUser(PrincipalContract):
    def make(self) -> Principal:
        return UserContext(user_id="u-1", tenant="t1", permissions={"call:view"})


class TestService(PrincipalContract):
    def make(self) -> Principal:
        return ServiceContext(service="billing", key_id="k1", tenant="t1", permissions={"call:view"})


def test_platform_staff_access_every_tenant_but_no_pattern() -> None:
    staff = UserContext(user_id="u", tenant=ALL_TENANTS)
    assert staff.may_access("hotel-7")
    assert not staff.may_access(ALL_TENANTS)
    assert not staff.may_access("")


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": ""},
        {"user_id": "a b"},
        {"tenant": ""},
        {"tenant": "**"},
        {"permissions": {"call"}},
        {"permissions": "call:view"},
        {"permissions": {"Call:view"}},
        {"permissions": {"call:view\n"}},
        {"roles": {"a:b"}},
        {"session_id": "x y"},
        {"expires_at": NOW.replace(tzinfo=None)},
        {"second_factor_at": NOW.replace(tzinfo=None)},
    ],
)
def test_an_invalid_user_cannot_be_made(changes) -> None:
    with pytest.raises(ValidationError):
        UserContext(**{"user_id": "u", "tenant": "t", **changes})


def test_sets_are_copied_so_that_nobody_adds_a_permission_later() -> None:
    permissions = {"call:view"}
    user = UserContext(user_id="u", tenant="t", permissions=permissions)
    permissions.add("system:admin")
    assert not user.may("system:admin")


@pytest.mark.parametrize("value", [0, -1, 2**31])
def test_a_limit_is_positive(value) -> None:
    with pytest.raises(ValidationError):
        KeyLimits(per_minute=value)


def test_a_grant_names_a_role_and_a_tenant() -> None:
    assert Grant("hotel_staff", "hotel-7").tenant == "hotel-7"
    for role, tenant in [("", "t"), ("Admin", "t"), ("admin", "")]:
        with pytest.raises(ValidationError):
            Grant(role, tenant)


def test_every_named_permission_is_one() -> None:
    for permission in Permission:
        assert require_permission(permission) == permission
    fifteen = {f"call:{v}" for v in ("start", "end", "view", "manage")}
    fifteen |= {f"hotel:{v}" for v in ("create", "update", "delete", "view")}
    fifteen |= {f"system:{v}" for v in ("config", "monitor", "admin")}
    fifteen |= {f"user:{v}" for v in ("create", "update", "delete", "view")}
    assert fifteen <= {str(permission) for permission in Permission}


@given(st.text())
def test_any_text_is_a_permission_or_refused_in_the_house_way(text: str) -> None:
    try:
        resource, verb = require_permission(text).split(":")
    except OrchestratorError:
        return
    assert resource.islower()
    assert verb.islower()


def test_a_refusal_keeps_its_reason_to_itself_and_survives_pickling() -> None:
    for kind in (TokenRefused, LoginRefused, SecondFactorRequired):
        error = pickle.loads(pickle.dumps(kind("expired", retry_after=2.0)))
        assert error.reason == "expired"
        assert error.retry_after == 2.0
        assert "expired" not in str(error)
        assert not error.details
