"""What the tests of a run came to, from the JUnit files that pytest wrote.

    python -m scripts.reports .nox/reports .nox/sessions.json [.nox/more-sessions.json ...]

prints the sessions of nox and, on the last line, `N passed, N failed`. A session that failed without a failing test (lint, types, …) counts as
one failure, so the line says 0 failed only when everything passed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET


@dataclass(frozen=True, slots=True)
class Totals:
    """How many tests ended in which way."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def read_report(file: Path) -> Totals:
    """Count the test cases of one JUnit file; an error in set-up or tear-down is a failure, an expected failure is skipped."""
    outcomes = [_outcome(case) for case in ET.parse(file).iter("testcase")]  # noqa: S314 - we wrote it
    return Totals(outcomes.count("passed"), outcomes.count("failed"), outcomes.count("skipped"))


def _outcome(case: ET.Element) -> str:
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in kinds else "passed"


def read_reports(folder: Path) -> dict[str, Totals]:
    """The totals of every file `SESSION.PACKAGE.xml` in the folder, by session."""
    totals: dict[str, Totals] = {}
    for file in sorted(folder.glob("*.xml")):
        session = file.name.split(".")[0]
        totals[session] = totals.get(session, Totals()) + read_report(file)
    return totals


def summarise(sessions: Iterable[dict[str, object]], totals: dict[str, Totals]) -> tuple[list[str], Totals]:
    """One line per session, and the sum."""
    lines: list[str] = []
    total = Totals()
    for session in sessions:
        name, result = str(session["name"]), str(session["result"])
        tests = totals.get(name, Totals())
        if result != "success" and not tests.failed:
            tests += Totals(failed=1)
        counted = f"{tests.passed} passed, {tests.failed} failed" if tests != Totals() else ""
        lines.append(f"{name:12} {result:8} {counted}".rstrip())
        total += tests
    return lines, total


def main(reports: Path, *runs: Path) -> int:
    """Print the summary; 1 when something failed, was skipped, or a run of nox left no report of its sessions."""
    missing = [file for file in runs if not file.exists()]
    sessions: list[dict[str, object]] = [
        session for file in runs if file not in missing for session in json.loads(file.read_text())["sessions"]
    ]
    lines, total = summarise(sessions, read_reports(reports))
    print("\n".join(lines))
    for file in missing:
        print(f"nox wrote no report of its sessions to {file.name}")
        total += Totals(failed=1)
    if total.skipped:
        print(f"{total.skipped} skipped")
    print(f"{total.passed} passed, {total.failed} failed")
    return int(bool(total.failed or total.skipped))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
