"""How large files and functions are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Function:
    """One function and where it stands; `lines` counts from its `def` to its end."""

    file: Path
    line: int
    name: str
    lines: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The files, with their lines, and the functions of one source folder."""

    files: dict[Path, int]
    functions: list[Function]

    def summary(self) -> str:
        """In one line: median, 90th percentile and maximum."""
        files = _spread(list(self.files.values()))
        functions = _spread([each.lines for each in self.functions])
        return f"{len(self.files)} files ({files} lines), {len(self.functions)} functions ({functions} lines)"


def _spread(numbers: list[int]) -> str:
    if not numbers:
        return "0 / 0 / 0"
    ninetieth = quantiles(numbers, n=10, method="inclusive")[8] if len(numbers) > 1 else numbers[0]
    return f"{median(numbers):.0f} / {ninetieth:.0f} / {max(numbers)}"


def measure(source: Path) -> Sizes:
    """Read every Python file below `source`."""
    files: dict[Path, int] = {}
    functions: list[Function] = []
    for file in sorted(source.rglob("*.py")):
        text = file.read_text()
        files[file] = len(text.splitlines())
        functions.extend(_functions(file, ast.parse(text)))
    return Sizes(files, functions)


def _functions(file: Path, tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            end = node.end_lineno or node.lineno
            yield Function(file, node.lineno, node.name, end - node.lineno + 1)


def complaints(sizes: Sizes, source: Path, *, function_lines: int, init_lines: int) -> list[str]:
    """Functions over their limit, and the `__init__` of the package itself, which is to re-export and nothing else."""
    found = [
        f"{each.file}:{each.line}: {each.name} has {each.lines} lines, {function_lines} are allowed"
        for each in sizes.functions
        if each.lines > function_lines and not _is_vocabulary(each.file)
    ]
    for file, lines in sizes.files.items():
        if file.name == "__init__.py" and file.parent.parent == source and lines > init_lines:
            found.append(f"{file}: {lines} lines, {init_lines} are allowed")
    return found


def _is_vocabulary(file: Path) -> bool:
    """Whether the file lists the words of a language: one function that is a table, as long as the language has words."""
    return file.parent.name == "_lexicon" and len(file.stem) == 2


def worth_a_look(sizes: Sizes, *, file_lines: int) -> list[str]:
    """Files that may hold two subjects."""
    return [f"{file}: {lines} lines" for file, lines in sizes.files.items() if lines > file_lines]
