"""The ledger of the earlier service's functionality, `docs/parity.toml`, held to its word.

    python -m scripts.parity docs/parity.toml

Every line answers exactly once: the test that shows it, the package that will bring it, or why it is refused. A test that does not exist, a package
without a place in the workspace, an empty reason, two answers or none are errors, and so is the same name twice.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from scripts.ledger import hold_to_its_word, wrong_with
from scripts.workspace import ROOT

ANSWERS: Final = ("test", "package", "refused")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger; `answer` is one of `ANSWERS`."""

    kind: str
    name: str
    answer: str
    value: str


def read_ledger(text: str) -> tuple[list[Entry], list[str]]:
    """The entries, and what is wrong with the form of others.

    Raises:
        tomllib.TOMLDecodeError: The text is no TOML, or holds a name twice.
    """
    entries: list[Entry] = []
    complaints: list[str] = []
    ledger: dict[str, dict[str, object]] = tomllib.loads(text)
    for kind, lines in ledger.items():
        for name, line in lines.items():
            answers = cast("dict[str, object]", line) if isinstance(line, dict) else {}
            if len(answers) != 1 or not answers.keys() <= set(ANSWERS):
                complaints.append(f"{kind} {name!r}: answer with exactly one of {', '.join(ANSWERS)}")
                continue
            [(what, value)] = answers.items()
            entries.append(Entry(kind, name, what, str(value)))
    return entries, complaints


def check(entry: Entry, root: Path) -> str | None:
    """What is wrong with the answer, if anything is."""
    wrong = wrong_with(entry.answer, entry.value, root, no_reason="say why it is refused")
    return f"{entry.kind} {entry.name!r}: {wrong}" if wrong else None


def table(entries: list[Entry]) -> str:
    """How many entries of each kind were answered in which way."""
    counts = Counter((entry.kind, entry.answer) for entry in entries)
    kinds = list(dict.fromkeys(entry.kind for entry in entries))
    lines = [f"{'kind':12} {'all':>5} {'test':>7} {'package':>9} {'refused':>9}"]
    for kind in [*kinds, "total"]:
        of_kind = [sum(n for (k, a), n in counts.items() if kind in (k, "total") and a == answer) for answer in ANSWERS]
        lines.append(f"{kind:12} {sum(of_kind):5} {of_kind[0]:7} {of_kind[1]:9} {of_kind[2]:9}")
    return "\n".join(lines)


def main(file: Path, root: Path = ROOT) -> int:
    """Print the counts, and every answer that does not hold; 1 when there is one."""
    return hold_to_its_word(file, read_ledger, lambda entry: check(entry, root), table)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
