"""`orchestrator-bench`: run files of benchmarks, compare two runs, and see whether the harness tells the truth on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from orchestrator_performance.benchmarking import _text as text
from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._runner import BROKEN, FAILED, PASSED, add_options, run_files
from orchestrator_performance.benchmarking.selftest import self_test
from orchestrator_performance.benchmarking.stored import compare_runs, load_run

FULL_EQUALS, FULL_PLANTED, FULL_STALL = 1_000, 40, 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 if all is well, 1 if a gate failed, a later run is slower or the harness was wrong, 2 if something could not be read.
    """
    options = _parser().parse_args(argv)
    try:
        code: int = options.command(options)
    except BenchmarkError as error:
        sys.stderr.write(f"orchestrator-bench: {error.message}\n")
        return BROKEN
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orchestrator-bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run files of benchmarks and judge their gates")
    add_options(run, paths=True)
    run.set_defaults(command=run_files)
    compare = commands.add_parser("compare", help="what changed since a stored run, by ratios only")
    compare.add_argument("before", type=Path, help="a run that `run --save FILE` kept")
    compare.add_argument("after", type=Path, help="a later one")
    compare.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    compare.set_defaults(command=_compare)
    test = commands.add_parser("selftest", help="plant a slow-down and a stall, and compare equals: about two minutes")
    test.add_argument(
        "--full", action="store_true", help="1,000 comparisons of equals, 40 slow-downs, a stall of 5 s: 20 minutes"
    )
    test.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    test.set_defaults(command=_selftest)
    return parser


def _compare(options: argparse.Namespace) -> int:
    found = compare_runs(load_run(options.before), load_run(options.after))
    sys.stdout.write((json.dumps(found.as_json(), indent=2) if options.json else found.table()) + "\n")
    return FAILED if found.worse else PASSED


def _selftest(options: argparse.Namespace) -> int:
    def say(line: str) -> None:
        sys.stderr.write(f"{line} ...\n")
        sys.stderr.flush()

    full = {"equals": FULL_EQUALS, "planted": FULL_PLANTED, "stall": FULL_STALL}
    findings = self_test(**full, say=say) if options.full else self_test(say=say)  # type: ignore[arg-type]
    if options.json:
        sys.stdout.write(json.dumps({"findings": [asdict(each) for each in findings]}, indent=2) + "\n")
    else:
        lines = [[each.name, each.told, each.expected, "pass" if each.passed else "FAIL"] for each in findings]
        sys.stdout.write("\n".join(text.aligned([["planted", "told", "expected", ""], *lines])) + "\n")
    return PASSED if all(each.passed for each in findings) else FAILED
