"""The ledger of the earlier service's functionality, `docs/parity.toml`, held to its word.

    python -m scripts.parity docs/parity.toml

Every line answers exactly once: the test that shows it, the package that will bring it, or why it is refused. A test that does not exist, a package
without a place in the workspace, an empty reason, two answers or none are errors, and so is the same name twice.
"""

from __future__ import annotations

import ast
import functools
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from scripts.layers import LAYERS
from scripts.workspace import FAMILY, ROOT

ANSWERS: Final = ("test", "package", "refused")
PACKAGES: Final = {FAMILY + name.replace("_", "-") for layer in LAYERS for name in layer}


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
    if entry.answer == "test":
        wrong = missing_test(entry.value, root)
    elif entry.answer == "package":
        wrong = None if entry.value in PACKAGES else f"there is no place for a package {entry.value}"
    else:
        wrong = None if entry.value.strip() else "say why it is refused"
    return f"{entry.kind} {entry.name!r}: {wrong}" if wrong else None


def missing_test(test_id: str, root: Path) -> str | None:
    """Why `path::name` or `path::Class::name` is no test, or None when it is one. Parameters in brackets are not looked at."""
    path, *names = test_id.partition("[")[0].split("::")
    file = root / path
    if not names or not file.name.startswith("test_") or not file.is_file():
        return f"{test_id} names no test module"
    if "::".join(names) not in tests_in(file):
        return f"{path} has no test {'::'.join(names)}"
    return None


@functools.cache
def tests_in(file: Path) -> frozenset[str]:
    """The names of a module's test functions, `Class::name` inside classes, read without importing it."""
    tree = ast.parse(file.read_text())
    found = set(_functions(tree))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= {f"{node.name}::{name}" for name in _functions(node)}
    return frozenset(found)


def _functions(scope: ast.Module | ast.ClassDef) -> list[str]:
    functions = [node for node in scope.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [node.name for node in functions if node.name.startswith("test")]


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
    try:
        entries, complaints = read_ledger(file.read_text())
    except tomllib.TOMLDecodeError as error:
        print(f"{file}: {error}")
        return 1
    complaints += [wrong for entry in entries if (wrong := check(entry, root)) is not None]
    print(table(entries))
    print("\n".join(complaints) if complaints else "every answer holds")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
