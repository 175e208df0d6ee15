"""The contracts that are made of the layers, and import-linter's verdict on a planted break."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from scripts.layers import configuration, contracts


def modules(*names):
    return [f"orchestrator_{name}" for name in names]


def test_what_is_not_there_yet_is_left_out_and_the_order_stays():
    [layers] = contracts(modules("utils", "kernel", "app", "calls"))
    assert layers["layers"] == ["orchestrator_app", "orchestrator_calls | orchestrator_utils", "orchestrator_kernel"]


def test_the_middle_layers_use_only_what_they_may():
    found = {
        contract["id"]: contract
        for contract in contracts(modules("kernel", "security", "database", "compliance", "testing"))
    }
    assert found["compliance"]["forbidden_modules"] == ["orchestrator_database"]
    assert found["testing"]["forbidden_modules"] == modules("compliance", "database", "security")


def test_a_module_without_a_layer_is_refused():
    with pytest.raises(LookupError, match="helpers has no layer"):
        contracts(modules("kernel", "helpers"))


SOURCES = {
    "orchestrator_kernel": "",
    "orchestrator_utils": "import orchestrator_kernel",
    "orchestrator_database": "import orchestrator_kernel",
    "orchestrator_security": "import orchestrator_kernel",
    "orchestrator_compliance": "import orchestrator_security",
    "orchestrator_app": "import orchestrator_compliance, orchestrator_utils",
}


@pytest.mark.parametrize(
    ("module", "line", "kept"),
    [
        ("orchestrator_app", "", True),
        ("orchestrator_utils", "import orchestrator_security", False),
        ("orchestrator_kernel", "def lazy():\n    import orchestrator_utils", False),
        ("orchestrator_compliance", "import orchestrator_database", False),
        (
            "orchestrator_security",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import orchestrator_app",
            False,
        ),
    ],
)
def test_import_linter_finds_a_forbidden_import(tmp_path, module, line, kept):
    for name, text in SOURCES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"{text}\n{line if name == module else ''}\n")
    (tmp_path / "contracts.toml").write_text(configuration(SOURCES))
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [sys.executable, program, "--no-cache", "--config", "contracts.toml"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode == 0) is kept, done.stdout + done.stderr
    assert ("BROKEN" in done.stdout) is not kept
