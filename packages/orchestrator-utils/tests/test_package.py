"""What importing the package brings along."""

from __future__ import annotations

import subprocess
import sys

import pytest

import orchestrator_utils

EXTRAS = {"structlog", "orjson", "fastapi", "starlette", "httpx", "espeakng_loader"}


def loaded_by(code: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(shown.stdout.split())


def test_the_package_alone_loads_next_to_nothing():
    assert not {"pydantic", "logging", "asyncio", *EXTRAS} & loaded_by("import orchestrator_utils")


@pytest.mark.parametrize("module", ["correlation", "error_handler", "logging_adapter"])
def test_no_module_loads_an_extra(module):
    assert not EXTRAS & loaded_by(f"import orchestrator_utils.{module}")


def test_correlation_and_logging_do_without_pydantic():
    assert "pydantic" not in loaded_by("from orchestrator_utils import bind, get_logger; get_logger('x').info('event')")


@pytest.mark.parametrize("name", orchestrator_utils.__all__)
def test_every_name_is_there(name):
    assert getattr(orchestrator_utils, name).__class__ is not None
    assert name in dir(orchestrator_utils)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'tts'"):
        orchestrator_utils.tts  # noqa: B018
    with pytest.raises(ImportError):
        from orchestrator_utils import nothing  # noqa: F401
