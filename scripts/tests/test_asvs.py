"""The checker of the answers to OWASP ASVS."""

import pytest
from scripts.asvs import all_ids, main
from scripts.workspace import ROOT


@pytest.fixture
def check(tmp_path, capsys):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_doors.py").write_text("def test_shut(): ...\n")

    def run(changes=None, *, without=(), extra=""):
        answers = dict.fromkeys(all_ids(), 'about = "x", not_applicable = "reason"') | (changes or {})
        text = ""
        for chapter in range(1, 18):
            text += f"[V{chapter}]\n"
            for name, answer in answers.items():
                if name.startswith(f"{chapter}.") and name not in without:
                    text += f'"{name}" = {{ {answer} }}\n'
        file = tmp_path / "asvs.toml"
        file.write_text(text + extra)
        return main(file, tmp_path), capsys.readouterr().out

    return run


def test_there_are_345_requirements():
    assert len(all_ids()) == len(set(all_ids())) == 345


def test_every_answer_of_ours_holds(capsys):
    assert main(ROOT / "docs" / "asvs.toml") == 0, capsys.readouterr().out


def test_complete_answers_hold_and_are_counted(check):
    status, output = check({"1.1.1": 'about = "x", test = "tests/test_doors.py::test_shut"'})
    assert status == 0
    assert output.splitlines()[1].split() == ["V1", "30", "1", "29", "0"]
    assert output.splitlines()[-2].split() == ["total", "345", "1", "344", "0"]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ('about = "x", test = "tests/test_doors.py::test_open"', "has no test test_open"),
        ('about = "x", test = "tests/test_windows.py::test_shut"', "names no test module"),
        ('about = "x", package = "orchestrator-nonsense"', "no place for a package"),
        ('about = "x", not_applicable = " "', "say why"),
        ('about = "x"', "exactly one"),
        ('about = "", not_applicable = "y"', "exactly one"),
        ('about = "x", not_applicable = "y", package = "orchestrator-auth"', "exactly one"),
        ('about = "x", maybe = "y"', "exactly one"),
    ],
)
def test_an_answer_that_does_not_hold_is_told(check, answer, complaint):
    status, output = check({"6.1.1": answer})
    assert status == 1
    assert "6.1.1" in output
    assert complaint in output


def test_what_is_missing_and_what_is_too_much_is_told(check):
    status, output = check(without=["4.4.4"])
    assert (status, "4.4.4: has no answer" in output) == (1, True)
    status, output = check(
        extra='"17.9.9" = { about = "x", not_applicable = "y" }\n"1.1.9" = { about = "x", not_applicable = "y" }'
    )
    assert (status, "17.9.9: the standard has no such" in output, "[V17] 1.1.9" in output) == (1, True, True)


def test_what_is_no_toml_is_told(check):
    status, output = check(extra="[V17]\n")
    assert status == 1
    assert "asvs.toml" in output
