"""Who may do what: roles with inheritance, compiled per tenant to immutable sets; deny by default; decisions that can be explained.

What the user types:

    policy = default_policy()                      # or load_policy(text), or PolicyFile(path, clock=clock)
    user = UserContext(user_id="u-1", tenant="hotel-7", permissions=policy.permissions("hotel-7", {"hotel_staff"}))
    policy.decide(user, "call:start", tenant="hotel-7").allowed
    policy.explain([Grant("hotel_admin", "hotel-7")], "call:view", "hotel-7").lines
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from orchestrator_auth._rbac.policy import (
    Actor,
    Condition,
    Decision,
    Explanation,
    Policy,
    PolicySource,
    Reason,
    RoleDefinition,
)
from orchestrator_auth._rbac.policy_file import PolicyFile, default_policy, default_policy_text, load_policy
from orchestrator_auth.exceptions import AccessDenied, SecondFactorRequired
from orchestrator_auth.models import UserContext

if TYPE_CHECKING:
    from orchestrator_auth._jwt.claims import VerifiedToken

__all__ = [
    "Actor",
    "Condition",
    "Decision",
    "Explanation",
    "Policy",
    "PolicyFile",
    "PolicyHolder",
    "PolicySource",
    "Reason",
    "RoleDefinition",
    "StaticPolicy",
    "context_of",
    "default_policy",
    "default_policy_text",
    "load_policy",
    "permissions_of",
    "require",
]


class PolicyHolder(Protocol):
    """Where the policy in force is read from, at each request: a `PolicyFile`, or a `StaticPolicy`."""

    @property
    def policy(self) -> Policy:
        """The one in force."""
        ...


class StaticPolicy:
    """A policy that stays."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @property
    def policy(self) -> Policy:
        return self._policy


def permissions_of(
    policy: Policy, tenant: str, roles: AbstractSet[str], *, sure: bool, second_factor_roles: AbstractSet[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """What roles come to in a tenant, and what more they come to once a second factor was shown.

    Args:
        policy: In force.
        tenant: Where.
        roles: Held there.
        sure: Whether a second factor was shown in the session.
        second_factor_roles: Those that count only then.
    """
    whole = policy.permissions(tenant, roles)
    if sure or not roles & second_factor_roles:
        return whole, frozenset()
    plain = policy.permissions(tenant, roles - second_factor_roles)
    return plain, whole - plain


def context_of(
    token: VerifiedToken, policy: Policy, *, second_factor_roles: AbstractSet[str] = frozenset()
) -> UserContext:
    """The user behind a token, with what the token's roles may do under the policy; without a tenant in the token, nothing.

    Args:
        token: Verified.
        policy: In force.
        second_factor_roles: Those that count only in a session where a second factor was shown.

    Raises:
        ValidationError: The token has no tenant.
    """
    sure = token.second_factor_at is not None
    held, withheld = permissions_of(
        policy, token.tenant, token.roles, sure=sure, second_factor_roles=second_factor_roles
    )
    return UserContext(
        user_id=token.subject,
        tenant=token.tenant,
        roles=token.roles,
        permissions=held,
        withheld=withheld,
        session_id=token.session_id,
        token_id=token.token_id,
        authenticated_at=_instant(token.authenticated_at),
        second_factor_at=_instant(token.second_factor_at),
        expires_at=_instant(token.expires_at),
    )


def require(decision: Decision) -> None:
    """Return if the decision is yes.

    Raises:
        SecondFactorRequired: Yes, once a second factor was shown recently.
        AccessDenied: No.
    """
    if not decision.allowed:
        raise (SecondFactorRequired if decision.reason is Reason.SECOND_FACTOR else AccessDenied)(decision.reason)


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
