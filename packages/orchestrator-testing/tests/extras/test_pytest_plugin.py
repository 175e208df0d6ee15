"""The plugin, in a pytest of its own."""

pytest_plugins = "pytester"

TESTS = """
import os
from pathlib import Path

def children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()

def test_nothing_runs_before_it_is_asked_for():
    assert children() == []

def test_the_url_is_ours(valkey_url, valkey_server):
    assert valkey_url == valkey_server.url
    assert len(children()) == 1

def test_the_server_is_shared(valkey_server):
    assert len(children()) == 1
"""


def test_a_server_starts_with_the_first_test_that_asks(pytester):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest")
    result.assert_outcomes(passed=3)


def test_loading_the_plugin_imports_neither_servers_nor_pydantic(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            assert "orchestrator_testing.pytest_plugin" in sys.modules
            assert not {"orchestrator_testing.servers", "pydantic"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:hypothesispytest").assert_outcomes(passed=1)
