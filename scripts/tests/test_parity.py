"""The checker of the ledger."""

import pytest
from scripts.parity import main

TESTS = """
import pytest

def test_plain(): ...

async def test_async(): ...

@pytest.mark.parametrize("x", [1, 2])
def test_many(x): ...

class TestCalls:
    def test_inside(self): ...

class Helper:
    def test_like(self): ...

def helper(): ...
"""


@pytest.fixture
def check(tmp_path, capsys):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_calls.py").write_text(TESTS)
    (tmp_path / "tests" / "helpers.py").write_text(TESTS)

    def run(ledger):
        file = tmp_path / "parity.toml"
        file.write_text(ledger)
        return main(file, tmp_path), capsys.readouterr().out

    return run


@pytest.mark.parametrize("name", ["test_plain", "test_async", "test_many", "test_many[1]", "TestCalls::test_inside"])
def test_an_existing_test_is_an_answer(check, name):
    assert check(f'[event]\n"dtmf" = {{ test = "tests/test_calls.py::{name}" }}')[0] == 0


@pytest.mark.parametrize(
    "test_id",
    [
        "tests/test_calls.py::test_absent",
        "tests/test_calls.py::helper",
        "tests/test_calls.py::test_inside",
        "tests/test_calls.py::Helper::test_like",
        "tests/test_calls.py",
        "tests/helpers.py::test_plain",
        "tests/test_absent.py::test_plain",
        "test_plain",
    ],
)
def test_a_test_that_does_not_exist_is_named(check, test_id):
    status, output = check(f'[event]\n"dtmf" = {{ test = "{test_id}" }}')
    assert status == 1
    assert "event 'dtmf'" in output
    assert test_id.split("::")[-1] in output


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("{}", "exactly one"),
        ('{ package = "orchestrator-auth", refused = "no" }', "exactly one"),
        ('{ later = "perhaps" }', "exactly one"),
        ('"orchestrator-auth"', "exactly one"),
        ('{ refused = " " }', "say why"),
        ('{ package = "orchestrator-everything" }', "no place for a package orchestrator-everything"),
        ('{ package = "fastapi" }', "no place for a package fastapi"),
    ],
)
def test_answers_that_are_none(check, answer, words):
    status, output = check(f'[setting]\n"PORT" = {answer}')
    assert status == 1
    assert words in output


def test_the_same_name_twice_is_refused(check):
    line = '"PORT" = { refused = "no" }\n'
    status, output = check(f"[setting]\n{line}{line}")
    assert status == 1
    assert "PORT" in output or "overwrite" in output


def test_the_counts_are_printed_by_kind(check):
    status, output = check(
        """
        [event]
        "dtmf" = { test = "tests/test_calls.py::test_plain" }
        "error" = { package = "orchestrator-calls" }
        [setting]
        "PORT" = { refused = "no" }
        """
    )
    assert status == 0
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines()[:4]}
    assert rows["event"] == ["2", "1", "1", "0"]
    assert rows["setting"] == ["1", "0", "0", "1"]
    assert rows["total"] == ["3", "1", "1", "1"]
