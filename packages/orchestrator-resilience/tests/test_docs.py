"""Everything the documentation shows is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import orchestrator_resilience

README = Path(__file__).parent.parent / "README.md"
# They need their extras; the session `docs` runs their examples.
EXTRAS = {"http_transport", "metrics", "telemetry"}


def test_the_readme_runs():
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        if any(f"orchestrator_resilience.{module} " in block for module in EXTRAS):
            continue
        exec(compile(block, str(README), "exec"), namespace)
    assert len(blocks) >= 7


@pytest.mark.parametrize(
    "name", sorted(module.name for module in pkgutil.iter_modules(orchestrator_resilience.__path__))
)
def test_docstring_examples_are_true_and_public_names_documented(name: str):
    if name in EXTRAS:
        return
    module = importlib.import_module(f"orchestrator_resilience.{name}")
    assert doctest.testmod(module).failed == 0
    for public in getattr(module, "__all__", []):
        documented = getattr(module, public)
        assert not isinstance(documented, type) or documented.__doc__, public
