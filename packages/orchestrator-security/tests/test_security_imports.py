"""What importing the modules loads, and what is said without an extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

import orchestrator_security.audit_logging as audit
import orchestrator_security.input_validation as validation
from orchestrator_kernel.exceptions import ConfigurationError

EXTRAS = {"sqlalchemy", "alembic", "httpx", "httpcore", "starlette", "uvicorn", "redis", "asyncpg", "aiosqlite"}


@pytest.mark.parametrize("module", ["input_validation", "headers_middleware", "audit_logging", "migrations"])
def test_importing_loads_no_extra(module: str) -> None:
    script = f"import sys, orchestrator_security.{module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert not EXTRAS & set(loaded.split())


@pytest.mark.parametrize(
    ("module", "name", "missing", "extra"),
    [(audit, "SqlAuditSink", "sqlalchemy", "sql"), (validation, "GuardedTransport", "httpcore", "http")],
)
def test_without_the_extra_its_name_is_told(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, missing: str, extra: str
) -> None:
    for loaded in [each for each in sys.modules if each.startswith("orchestrator_security._drivers")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.delitem(sys.modules, "orchestrator_security._audit.tables", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=rf"orchestrator-security\[{extra}\]"):
        getattr(module, name)


@pytest.mark.parametrize("module", [audit, validation])
def test_every_name_that_is_offered_is_known_and_others_are_not(module: object) -> None:
    assert set(module._LATE) <= set(module.__all__)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        _ = module.no_such_name  # type: ignore[attr-defined]
