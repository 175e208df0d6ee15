"""Running files of benchmarks one after another.

The convention: a file `bench_*.py` defines `benches()`, which answers functions without arguments; each measures something and
answers a report or several, or is `async def` and does so.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import re
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._pace import pace
from orchestrator_performance.benchmarking._reports import LatencyReport, Report

AnyReport = Report | LatencyReport
Reports = AnyReport | Sequence[AnyReport]
Bench = Callable[[], Reports | Awaitable[Reports]]
T = TypeVar("T")

PASSED, FAILED, BROKEN = 0, 1, 2
QUICK = 0.1


@dataclass(slots=True)
class _Outcome:
    reports: list[AnyReport] = field(default_factory=list[AnyReport])
    broken: int = 0

    @property
    def failed(self) -> int:
        return sum(report.passed is False for report in self.reports)

    @property
    def void(self) -> int:
        return sum(report.passed is None for report in self.reports)

    @property
    def code(self) -> int:
        return BROKEN if self.broken else FAILED if self.failed else PASSED


def run_main(benches: Callable[[], Iterable[Bench]], argv: Sequence[str] | None = None) -> int:
    """Run one file's benchmarks: `if __name__ == "__main__": sys.exit(run_main(benches))`.

    Args:
        benches: The file's own function.
        argv: Arguments; the process's if not given. `--json` and `--quick` as for `main`.

    Returns:
        As `main`.
    """
    options = _parser(paths=False).parse_args(argv)
    return _run([("", benches)], options)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks of files, and of the `bench_*.py` below folders.

    Reports go to stdout (`--json`: one document), progress and errors to stderr. A broken benchmark does not keep the others from
    running.

    Returns:
        0 if no gate failed (void ones are counted), 1 if one did, 2 if a path, a file or a benchmark is broken.
    """
    return run_files(_parser(paths=True).parse_args(argv))


def run_files(options: argparse.Namespace) -> int:
    """Run what `add_options` has read; answers as `main`."""
    try:
        files = list(_files(options.paths))
    except BenchmarkError as error:
        _say(error.message)
        return BROKEN
    return _run([(str(file), partial(_load, file)) for file in files], options)


def _parser(*, paths: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run benchmarks and judge their gates.")
    add_options(parser, paths=paths)
    return parser


def add_options(parser: argparse.ArgumentParser, *, paths: bool) -> None:
    """The options of a run."""
    if paths:
        parser.add_argument(
            "paths", nargs="+", type=Path, help="a benchmark file, or a folder with bench_*.py below it"
        )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    shown.add_argument("--markdown", action="store_true", help="tables for a README")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the run as JSON, to compare later ones with it")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the time: to try a benchmark out, not to judge by"
    )


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob("bench_*.py"))
            if not found:
                raise BenchmarkError(f"{path} holds no file bench_*.py")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise BenchmarkError(f"{path} does not exist")


def _load(path: Path) -> Iterable[Bench]:
    name = "_benchmark_" + re.sub(r"\W", "_", str(path.resolve()))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BenchmarkError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name
    sys.modules[name] = module
    # as for any script, its neighbours can be imported
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec.loader.exec_module(module)
    benches = getattr(module, "benches", None)
    if not callable(benches):
        raise BenchmarkError(f"{path} has no function benches()")
    return cast("Iterable[Bench]", benches())


def _run(sources: Sequence[tuple[str, Callable[[], Iterable[Bench]]]], options: argparse.Namespace) -> int:
    outcome = _Outcome()
    show = None if options.json else _markdown if options.markdown else _table
    with pace(QUICK if options.quick else 1.0):
        for source, benches in sources:
            listed = _attempt(source, partial(_listed, benches), outcome) or ()
            for number, bench in enumerate(listed, 1):
                label = f"{source} [{number}/{len(listed)}] {_name(bench)}".strip()
                _run_one(label, bench, outcome, show)
    document = json.dumps({"reports": [report.as_json() for report in outcome.reports], "exit": outcome.code}, indent=2)
    if options.json:
        sys.stdout.write(document + "\n")
    if options.save is not None:
        try:
            options.save.write_text(document + "\n")
        except OSError as error:
            _say(f"the run cannot be kept: {error}")
            outcome.broken += 1
    _say(
        f"{len(outcome.reports)} reports: {outcome.failed} failed, {outcome.void} void; {outcome.broken} benchmarks broken"
    )
    return outcome.code


def _listed(benches: Callable[[], Iterable[Bench]]) -> Sequence[Bench]:
    return tuple(benches())


def _table(report: AnyReport) -> str:
    return report.table()


def _markdown(report: AnyReport) -> str:
    return report.markdown()


def _run_one(label: str, bench: Bench, outcome: _Outcome, show: Callable[[AnyReport], str] | None) -> None:
    started = time.monotonic()
    _say(f"{label} ...")
    reports = _attempt(label, partial(_measured, bench), outcome)
    if reports is None:
        return
    outcome.reports += reports
    if show is not None:
        sys.stdout.write("".join(f"{show(report)}\n\n" for report in reports))
        sys.stdout.flush()
    _say(f"{label} took {time.monotonic() - started:.1f} s")


def _measured(bench: Bench) -> list[AnyReport]:
    found = bench()
    reports = asyncio.run(_awaited(found)) if isinstance(found, Awaitable) else found
    listed = [reports] if isinstance(reports, AnyReport) else list(reports)
    for report in listed:
        if not isinstance(report, AnyReport):  # pyright: ignore[reportUnnecessaryIsInstance] - a file's promise is not checked
            raise BenchmarkError(f"a benchmark answers reports, not {type(report).__name__}")
    return listed


def _attempt(label: str, step: Callable[[], T], outcome: _Outcome) -> T | None:
    try:
        return step()
    except Exception:  # noqa: BLE001 - shown and counted; the exit code says so
        outcome.broken += 1
        _say(f"{label} is broken\n{traceback.format_exc()}")
        return None


def _name(bench: Bench) -> str:
    function = bench.func if isinstance(bench, partial) else bench
    return getattr(function, "__name__", type(function).__name__)


async def _awaited(found: Awaitable[Reports]) -> Reports:
    return await found


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
