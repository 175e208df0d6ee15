"""What loading the modules costs: no extra is loaded, even where it is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("alembic", "httpx", "opentelemetry", "smtplib", "sqlalchemy", "yaml")


@pytest.mark.parametrize("module", ["slo_monitor", "alerting"])
def test_no_extra_is_loaded(module: str) -> None:
    code = f"import sys, orchestrator_monitoring.{module}; print([each for each in {HEAVY} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
