"""The examples of documents as tests: `pytest -p orchestrator_testing.docs README.md src`.

In Markdown every ```` ```python ```` block runs, in order, in one namespace and one temporary folder per file; `await` works at the top level, on
one event loop per file. A ```` ```text ```` block that follows a Python block with nothing between shows what that block prints, and is compared
with it; `...` stands for any text, and a block marked `text sample` is only read. In Python files the `>>>` examples of docstrings run.
Needs the extra `[docs]`.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.document import PythonDocStringDocument
from sybil.evaluators.python import pad
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer
from sybil.parsers.rest import DocTestParser

__all__ = ["pytest_collect_file", "pytest_pycollect_makemodule"]

_STATE: Final = "__document_run__"
_OPTIONS: Final = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class _DocumentRun:
    """One Markdown file being run: its folder, its event loop, and what the last block printed."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self._stack.callback(os.chdir, os.getcwd())  # noqa: PTH109 - chdir wants what getcwd gives
        os.chdir(folder)
        self._runner = self._stack.enter_context(asyncio.Runner())
        self.printed = ""

    def execute(self, code: CodeType, namespace: dict[str, object]) -> None:
        """Run the code, and its coroutine if it awaits."""
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                result = FunctionType(code, namespace)()
                if inspect.iscoroutine(result):
                    self._runner.run(result)
        finally:
            self.printed = output.getvalue()
            print(self.printed, end="")  # noqa: T201 - for pytest's report of a failure

    def close(self) -> None:
        self._stack.close()


def _begin(namespace: dict[str, object]) -> None:
    namespace[_STATE] = _DocumentRun()
    namespace["__name__"] = "__main__"


def _end(namespace: dict[str, object]) -> None:
    _run_of(namespace).close()


def _run_of(namespace: dict[str, object]) -> _DocumentRun:
    state = namespace[_STATE]
    if not isinstance(state, _DocumentRun):
        raise TypeError(f"an example replaced {_STATE}")
    return state


def _run_python(example: Example) -> None:
    source = pad(example.parsed, example.line + example.parsed.line_offset)
    code = compile(source, example.path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    _run_of(example.namespace).execute(code, example.namespace)


def _compare_output(example: Example) -> str | None:
    expected = str(example.parsed)
    printed = _run_of(example.namespace).printed
    if doctest.OutputChecker().check_output(expected, printed, _OPTIONS):
        return None
    return f"the block above prints\n{printed}\nand the document says\n{expected}"


def _parse_blocks(document: Document) -> Iterator[Region]:
    end_of_python: int | None = None
    for block in FencedCodeBlockLexer(language="python|text", mapping={"language": "language", "source": "source"})(
        document
    ):
        source = block.lexemes["source"]
        if block.lexemes["language"] == "python":
            end_of_python = block.end
            yield Region(block.start, block.end, source, _run_python)
        elif end_of_python is not None and not document.text[end_of_python : block.start].strip():
            yield Region(block.start, block.end, source, _compare_output)


pytest_collect_file: Final = (
    Sybil(path="/", parsers=[_parse_blocks], patterns=["*.md"], setup=_begin, teardown=_end)
    + Sybil(
        path="/",
        parsers=[DocTestParser(optionflags=_OPTIONS)],
        patterns=["*.py"],
        document_types={".py": PythonDocStringDocument},
    )
).pytest()
"""What pytest calls for every file it meets."""


class _NoTests(pytest.File):
    """A module that is only read for its examples."""

    def collect(self) -> list[pytest.Item]:
        return []


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.File:
    """Keep pytest from importing every module to look for test functions."""
    # pytest annotates only some of the parameters of from_parent.
    return _NoTests.from_parent(parent, path=module_path)  # pyright: ignore[reportUnknownMemberType]
