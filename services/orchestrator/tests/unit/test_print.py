"""Tables on a terminal."""

from __future__ import annotations

import pytest

from orchestrator_app.cli._print import print_table

ROWS = [
    ("api_availability", "compliant", "100.000% of 57 requests of the last thirty days", "2026-11-28 17:21Z"),
    ("goal_conversion", "violated", "0.000% of 2", ""),
]
COLUMNS = ["objective", "status", "how good it was", "when it will be spent"]


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table("Objectives", COLUMNS, ROWS)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_word_is_broken_while_there_is_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    lines = shown(capsys, monkeypatch, width)
    words = " ".join(lines).split()
    assert max(map(len, lines)) <= width
    for row in [COLUMNS, *ROWS]:
        assert all(word in words for cell in row for word in cell.split())


def test_a_narrow_terminal_gets_all_letters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown(capsys, monkeypatch, 30)
    assert max(map(len, lines)) <= 30
    told = "".join(lines).replace(" ", "")
    assert all(told.count(letter) >= "".join(map("".join, ROWS)).count(letter) for letter in "%_Z")


def test_no_rows_are_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Alerts", ["id"], [], empty="nothing is wrong")
    assert capsys.readouterr().out == "Alerts: nothing is wrong\n"
