"""Running files of benchmarks: what a person at the keyboard and a build see."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator_performance.benchmarking import Bench, Contender, Report, Sampling, compare, main, run_main

HEAD = """
from __future__ import annotations
from dataclasses import dataclass
from orchestrator_performance.benchmarking import *

@dataclass
class Own:
    now: float = 0.0

clock = Own()

def work(seconds):
    def call():
        clock.now += seconds
    return call

def measure(name, seconds, gate):
    return compare(name, baseline=Contender("base", work(0.001)), contenders=[Contender("ours", work(seconds))],
                   gates={"ours": gate}, clock=lambda: clock.now, sampling=Sampling(rounds=3))
"""
PASSES = HEAD + "def benches(): yield lambda: measure('good', 0.0005, Gate(at_most=0.6))\n"
FAILS = HEAD + "def benches(): return [lambda: measure('bad', 0.001, Gate(at_most=0.6))]\n"
VOID = (
    HEAD
    + """
class Late:
    def __init__(self): self.now = 0.0
    def monotonic(self): return self.now
    async def sleep(self, seconds): self.now += seconds + 0.1

async def turn():
    pass

async def busy():
    return [await open_loop("turn", arrive=turn, rate=50, seconds=1, gates=Gate(at_most_ms=20), clock=Late())]

def benches():
    return [busy]
"""
)
BREAKS = HEAD + "def broken(): raise LookupError('no such codec')\ndef benches(): return [broken]\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        return tmp_path

    return write


def test_a_gate_that_holds_exits_0_and_shows_the_table(write: Write, capsys: pytest.CaptureFixture[str]):
    assert main([str(write(bench_good=PASSES))]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("good  [own time, 3 rounds")
    assert "[1/1]" in shown.err
    assert "1 reports: 0 failed, 0 void; 0 benchmarks broken" in shown.err


def test_a_missed_gate_exits_1(write: Write, capsys: pytest.CaptureFixture[str]):
    assert main([str(write(bench_good=PASSES, bench_bad=FAILS))]) == 1
    assert "2 reports: 1 failed" in capsys.readouterr().err


def test_a_void_run_exits_0_and_says_so(write: Write, capsys: pytest.CaptureFixture[str]):
    assert main([str(write(bench_void=VOID) / "bench_void.py")]) == 0
    shown = capsys.readouterr()
    assert "p99 <= 20 ms: void" in shown.out
    assert "0 failed, 1 void" in shown.err


def test_a_broken_benchmark_exits_2_and_the_others_run_all_the_same(write: Write, capsys: pytest.CaptureFixture[str]):
    assert main([str(write(bench_a=BREAKS, bench_b=FAILS, bench_c="import nowhere_to_be_found"))]) == 2
    shown = capsys.readouterr()
    assert "no such codec" in shown.err
    assert "nowhere_to_be_found" in shown.err
    assert "1 reports: 1 failed, 0 void; 2 benchmarks broken" in shown.err
    assert shown.out.startswith("bad")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "has no function benches()"),
        ("def benches(): raise LookupError('no list')\n", "no list"),
        ("def benches(): return [lambda: 1]\n", "TypeError"),
        ("def benches(): return [lambda: [1]]\n", "answers reports, not int"),
    ],
)
def test_a_file_that_breaks_the_convention_is_named(
    write: Write, capsys: pytest.CaptureFixture[str], text: str, message: str
):
    assert main([str(write(bench_odd=text) / "bench_odd.py")]) == 2
    shown = capsys.readouterr().err
    assert "bench_odd.py" in shown
    assert message in shown


def test_a_path_that_holds_nothing_exits_2_before_anything_runs(write: Write, capsys: pytest.CaptureFixture[str]):
    folder = write(bench_good=PASSES, other="")
    (folder / "empty").mkdir()
    assert main([str(folder), str(folder / "empty")]) == 2
    assert main([str(folder / "missing.py")]) == 2
    shown = capsys.readouterr()
    assert "empty holds no file bench_*.py" in shown.err
    assert "missing.py does not exist" in shown.err
    assert shown.out == ""
    (folder / "bench_data.txt").write_text("")
    assert main([str(folder / "bench_data.txt")]) == 2


def test_json_is_one_document(write: Write, capsys: pytest.CaptureFixture[str]):
    assert main(["--json", str(write(bench_a=PASSES, bench_b=FAILS, bench_v=VOID))]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["exit"] == 1
    assert [(report["name"], report["passed"]) for report in document["reports"]] == [
        ("good", True),
        ("bad", False),
        ("turn", None),
    ]


def test_quick_takes_a_tenth_of_the_time(capsys: pytest.CaptureFixture[str]):
    took = list[float]()

    def bench(seconds: float) -> Report:
        report = compare(
            "sum",
            baseline=Contender("sum", lambda: sum(range(100))),
            contenders=[],
            seconds=seconds,
            sampling=Sampling(min_rounds=1),
        )
        took.append(report.took)
        return report

    def benches() -> list[Bench]:
        return [functools.partial(bench, 2.0)]

    assert run_main(benches, ["--quick"]) == 0
    assert 0.2 <= took[0] < 1.5
    assert "[1/1] bench" in capsys.readouterr().err


def test_a_file_runs_as_a_script_and_by_the_module(write: Write):
    script = PASSES + "if __name__ == '__main__':\n    import sys\n    sys.exit(run_main(benches))\n"
    file = write(bench_script=script) / "bench_script.py"
    for command in ([str(file)], ["-m", "orchestrator_performance.benchmarking", str(file), "--quick"]):
        done = subprocess.run([sys.executable, *command], check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("good  [")


def test_a_file_may_import_its_neighbours(write: Write, capsys: pytest.CaptureFixture[str]):
    folder = write(neighbour_of_a_bench="NAME = 'borrowed'\n")
    write(
        bench_borrows=PASSES.replace("'good'", "NAME").replace('"good"', "NAME")
        + "\nfrom neighbour_of_a_bench import NAME\n"
    )
    assert main([str(folder), "--quick"]) == 0
    assert capsys.readouterr().out.startswith("borrowed  [")


def test_wrong_options_exit_2(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["--fast", "x"])
    assert caught.value.code == 2
    assert "--fast" in capsys.readouterr().err
