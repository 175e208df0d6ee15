"""A run against a stored one, by ratios only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator_performance.benchmarking import BenchmarkError
from orchestrator_performance.benchmarking._cli import main
from orchestrator_performance.benchmarking.stored import RunComparison, compare_runs, load_run


def run(
    ratio: float, *, width: float = 0.02, control: float = 1.0, verdict: str | None = None, name: str = "ours"
) -> dict:
    def row(role: str, label: str, middle: float, judged: str | None) -> dict:
        return {
            "role": role,
            "name": label,
            "ratio": middle,
            "interval": [middle - width, middle + width],
            "verdict": judged,
        }

    rows = [
        row("baseline", "base", 1, None),
        row("control", "base (again)", control, None),
        row("contender", name, ratio, verdict),
    ]
    return {"reports": [{"kind": "comparison", "name": "a line", "rows": rows}]}


def latency(verdict: str) -> dict:
    return {"reports": [{"kind": "latency", "name": "a turn", "gates": [{"verdict": verdict}]}]}


def what(found: RunComparison) -> list[str]:
    return [each.what for each in found.changes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (run(2.0), run(2.2), "slower"),
        (run(2.0), run(1.8), "faster"),
        (run(2.0), run(2.03), "no change"),
        (run(2.0, width=0.2), run(2.2, width=0.2), "no change"),
        (run(2.0), run(2.2, control=1.15), "no change"),
        (run(2.0), run(2.2, control=0.87), "no change"),
        (run(2.0, width=0.001), run(2.01, width=0.001), "no change"),
        (run(2.0, verdict="pass"), run(2.01, verdict="fail"), "now fails"),
        (run(2.0, verdict="fail"), run(2.01, verdict="void"), "now passes"),
        (latency("pass"), latency("fail"), "now fails"),
        (latency("void"), latency("pass"), "no change"),
    ],
)
def test_what_changed(before: dict, after: dict, expected: str):
    assert what(compare_runs(before, after)) == [expected]


def test_what_is_new_and_what_is_gone_is_told():
    assert sorted(what(compare_runs(run(2, name="old"), run(2, name="young")))) == ["gone", "new"]


def test_what_is_worse_comes_first():
    both = {"reports": [*run(2.0, name="b")["reports"], *latency("pass")["reports"]]}
    later = {"reports": [*run(2.0, name="b")["reports"], *latency("fail")["reports"]]}
    assert what(compare_runs(both, later)) == ["now fails", "no change"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(run(2.0)))
    after.write_text(json.dumps(run(2.5)))
    assert main(["compare", str(before), str(after)]) == 1
    shown = capsys.readouterr().out
    assert "+25 %" in shown
    assert "slower" in shown
    assert main(["compare", str(after), str(after), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["worse"] == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"reports": 3}'])
def test_a_file_that_holds_no_run(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "run.json"
    file.write_text(text)
    with pytest.raises(BenchmarkError, match=r"run\.json"):
        load_run(file)
    assert main(["compare", str(file), str(file)]) == 2
    assert "stored run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "report", [{}, {"kind": "comparison", "name": "x"}, {"kind": "latency", "name": "x", "gates": [{}]}]
)
def test_a_report_that_is_none(report: dict):
    with pytest.raises(BenchmarkError, match="not as a run writes it"):
        compare_runs({"reports": [report]}, {"reports": []})


def test_a_run_is_kept_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file, kept = tmp_path / "bench_it.py", tmp_path / "kept.json"
    file.write_text(
        "from orchestrator_performance.benchmarking import Contender, compare\n"
        "def it():\n"
        "    return compare('it', baseline=Contender('a', int), contenders=[Contender('b', int)], seconds=0.05)\n"
        "def benches():\n"
        "    return [it]\n"
    )
    assert main(["run", str(file), "--save", str(kept), "--markdown"]) == 0
    assert "| it | ratio |" in capsys.readouterr().out
    assert main(["compare", str(kept), str(kept)]) == 0
    assert main(["run", str(file), "--save", str(tmp_path / "nowhere" / "kept.json")]) == 2
