"""Everything the documentation shows is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from orchestrator_performance import benchmarking

README = Path(__file__).parent.parent / "README.md"


def test_the_readme_runs(capsys: pytest.CaptureFixture[str]):
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
    assert "A/A control" in capsys.readouterr().out
    assert len(blocks) >= 5


@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(benchmarking.__path__)))
def test_the_docstring_examples_are_true(name: str):
    if name == "__main__":
        return
    module = importlib.import_module(f"{benchmarking.__name__}.{name}")
    assert doctest.testmod(module).failed == 0


def test_all_public_names_are_documented():
    for name in benchmarking.__all__:
        public = getattr(benchmarking, name)
        assert name == "Bench" or public.__doc__, name
