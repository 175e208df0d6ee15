"""What ledgers have in common: an answer that names a test, a package, or a reason, and a program that prints what does not hold."""

from __future__ import annotations

import ast
import functools
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from scripts.layers import LAYERS
from scripts.workspace import FAMILY

PACKAGES: Final = {FAMILY + name.replace("_", "-") for layer in LAYERS for name in layer}

T = TypeVar("T")


def wrong_with(answer: str, value: str, root: Path, *, no_reason: str) -> str | None:
    """What is wrong with an answer, if anything is; one that is neither a test nor a package is a reason, and says something."""
    if answer == "test":
        return missing_test(value, root)
    if answer == "package":
        return None if value in PACKAGES else f"there is no place for a package {value}"
    return None if value.strip() else no_reason


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


def hold_to_its_word(
    file: Path,
    read: Callable[[str], tuple[list[T], list[str]]],
    check: Callable[[T], str | None],
    table: Callable[[list[T]], str],
) -> int:
    """Print the counts, and every answer that does not hold; 1 when there is one."""
    try:
        entries, complaints = read(file.read_text())
    except tomllib.TOMLDecodeError as error:
        print(f"{file}: {error}")
        return 1
    complaints += [wrong for entry in entries if (wrong := check(entry)) is not None]
    print(table(entries))
    print("\n".join(complaints) if complaints else "every answer holds")
    return int(bool(complaints))
