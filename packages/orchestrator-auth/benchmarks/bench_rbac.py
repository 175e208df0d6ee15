"""What a decision costs, over a look-up in a frozenset."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from orchestrator_auth.models import UserContext
from orchestrator_auth.rbac import Policy, PolicySource, RoleDefinition, default_policy
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def decisions() -> Report:
    """Allowed, refused for the tenant, and with the condition that a second factor is recent."""
    policy = default_policy()
    held = policy.permissions("hotel-7", {"system_admin"})
    user = UserContext(user_id="u", tenant="hotel-7", permissions=held, second_factor_at=NOW)
    decide = policy.decide
    return compare(
        "may a user do this",
        baseline=Contender("frozenset look-up", lambda: "call:view" in held),
        contenders=[
            Contender("allowed", lambda: decide(user, "call:view", tenant="hotel-7")),
            Contender("other tenant", lambda: decide(user, "call:view", tenant="hotel-8")),
            Contender("second factor", lambda: decide(user, "secret:rotate", tenant="hotel-7", now=NOW)),
        ],
        gates={name: Gate(at_most=10) for name in ("allowed", "other tenant", "second factor")},
    )


def many_roles() -> Report:
    """A hundred roles that inherit one another cost no more than three: they were compiled."""
    few = Policy(PolicySource(roles={"r0": RoleDefinition(permissions=frozenset({"call:view"}))}))
    roles = {"r0": RoleDefinition(permissions=frozenset({"call:view"}))}
    roles |= {f"r{n}": RoleDefinition(inherits=(f"r{n - 1}",)) for n in range(1, 100)}
    many = Policy(PolicySource(roles=roles))
    return compare(
        "the permissions of a role",
        baseline=Contender("one role", lambda: few.permissions("t", ("r0",))),
        contenders=[Contender("the last of a hundred", lambda: many.permissions("t", ("r99",)))],
        gates={"the last of a hundred": Gate(at_most=1.25)},
    )


def benches() -> Iterable[Bench]:
    return [decisions, many_roles]


if __name__ == "__main__":
    sys.exit(run_main(benches))
