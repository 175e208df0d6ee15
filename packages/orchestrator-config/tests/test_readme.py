"""Every block of the README and every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import orchestrator_config

README = Path(__file__).parents[1] / "README.md"
MODULES = [f"orchestrator_config.{module.name}" for module in pkgutil.iter_modules(orchestrator_config.__path__)]


def test_the_readme_runs_and_prints_what_it_says(capsys):
    text = README.read_text("utf-8")
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        source = "\n" * text[: block.start(1)].count("\n") + block[1]
        exec(compile(source, str(README), "exec", dont_inherit=True), namespace)
    printed = re.sub(
        r"\S*/orchestrator\.toml", "orchestrator.toml", capsys.readouterr().out.replace("(/", "( /")
    ).replace("( ", "(")
    (shown,) = re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert shown in printed
    for comment in re.findall(r"^print\(.*\)  # (.*)$", text, re.MULTILINE):
        assert f"{comment}\n" in printed
    assert "hunter2" not in printed


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_public_name_can_be_imported_and_nothing_else():
    for name in orchestrator_config.__all__:
        assert getattr(orchestrator_config, name) is not None
    assert dir(orchestrator_config) == sorted(orchestrator_config.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Setings'"):
        _ = orchestrator_config.Setings
