"""Every type of event that anything here tells the audit is of a kind, and so is kept as long as that kind."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import orchestrator_app
import orchestrator_auth
import orchestrator_calls
import orchestrator_console
import orchestrator_monitoring
from orchestrator_app.composition.audit import KINDS, kept_days
from orchestrator_security.audit_logging import AuditKind, retention_days

PACKAGES = (orchestrator_app, orchestrator_auth, orchestrator_calls, orchestrator_console, orchestrator_monitoring)
TELLS = {"record", "refuse", "_tell", "_told", "_refuse"}
TYPE = re.compile(r"[a-z_]+(\.[a-z_]+)+")


def texts(node: ast.AST | None) -> Iterator[str]:
    for each in ast.walk(node) if node is not None else ():
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and TYPE.fullmatch(each.value):
            yield each.value


def told(tree: ast.AST) -> Iterator[str]:
    """Types in calls that tell the audit: as they stand there, or by the name of a variable that holds one."""
    variables: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    variables.setdefault(target.id, set()).update(texts(node.value))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        kinds = [each.value for each in node.keywords if each.arg in {"type", "kind"}]
        for kind in [*node.args[:1], *kinds] if name in TELLS or name == "AuditEvent" else ():
            yield from texts(kind)
            if isinstance(kind, ast.Name):
                yield from variables.get(kind.id, ())


def all_told() -> set[str]:
    found = set[str]()
    for package in PACKAGES:
        for file in Path(str(package.__file__)).parent.rglob("*.py"):
            found.update(told(ast.parse(file.read_text())))
    return found


def test_every_event_type_is_of_a_kind() -> None:
    found = all_told()
    assert {
        "auth.first_admin",
        "mfa.enrollment",
        "user.enabled",
        "authz.user.management",
        "call.events.missing",
    } <= found
    assert found - {*AuditKind} - {*KINDS} == set()


def test_no_kind_is_given_to_a_type_that_nobody_tells_or_that_is_one_itself() -> None:
    assert {*KINDS} - all_told() == set()
    assert {*KINDS} & {*AuditKind} == set()


@pytest.mark.parametrize(
    ("event_type", "days"),
    [
        ("mfa.verification", 90),
        ("auth.session.end", 90),
        ("user.deleted", 365),
        ("pii.access", 2555),
        ("auth.login.success", 90),
    ],
)
def test_an_event_is_kept_as_long_as_its_kind(event_type: str, days: int) -> None:
    assert kept_days(event_type) == days
    assert kept_days(event_type) == retention_days(KINDS.get(event_type, event_type))
