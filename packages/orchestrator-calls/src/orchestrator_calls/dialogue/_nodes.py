"""Reading a TOML document with every complaint kept, each with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import time
from difflib import get_close_matches
from typing import Final, cast

from orchestrator_calls.dialogue._errors import ScriptError, ScriptProblem
from orchestrator_calls.dialogue._model import Place
from orchestrator_calls.dialogue._toml_lines import Path, find_lines

__all__ = ["Document", "Node", "nearest"]

_LARGEST: Final = 1_000_000
_AT_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the name that was probably meant, or at what there is."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"there is {', '.join(names)}" if names else "there is none"


class Document:
    """A TOML text and what is wrong with it.

    Raises `ScriptError` at once when it is no TOML; everything else is collected in `problems`.
    """

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.problems: list[ScriptProblem] = []
        if len(text) > _LARGEST:
            raise ScriptError.of([ScriptProblem(source, 1, f"the file has more than {_LARGEST} characters")])
        # TOML counts a carriage return before a line feed as part of the line end.
        text = text.replace("\r\n", "\n")
        try:
            content = tomllib.loads(text)
            self._lines = find_lines(text)
        except tomllib.TOMLDecodeError as error:
            raise ScriptError.of([ScriptProblem(source, _line_of(error, text), f"no TOML: {error}")]) from error
        except RecursionError as error:
            raise ScriptError.of(
                [ScriptProblem(source, 1, "no TOML that can be read: it is nested too deeply")]
            ) from error
        self.root = Node(self, (), cast("Mapping[str, object]", content))

    def place(self, path: Path) -> Place:
        """Where `path` stands, or the nearest thing around it."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return Place(self.source, line)
        return Place(self.source, 1)

    def refuse(self, path: Path, reason: str) -> None:
        """Keep a complaint about `path`."""
        self.problems.append(ScriptProblem(*self.place(path), reason))


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> int:
    found = _AT_LINE.search(str(error))
    return int(found.group(1)) if found else text.count("\n") + 1


class Node:
    """A table of the document: typed access that complains instead of raising, and remembers which keys were asked for."""

    def __init__(self, document: Document, path: Path, content: Mapping[str, object]) -> None:
        self.document = document
        self.path = path
        self._content = content
        self._known: set[str] = set()

    @property
    def place(self) -> Place:
        """Where the table begins."""
        return self.document.place(self.path)

    def at(self, key: str) -> Place:
        """Where `key` stands."""
        return self.document.place((*self.path, key))

    @property
    def names(self) -> list[str]:
        """The keys in the order of the file."""
        return list(self._content)

    def has(self, key: str) -> bool:
        """Whether the key is there; from now on it is known."""
        self._known.add(key)
        return key in self._content

    def refuse(self, reason: str, key: str | int | None = None) -> None:
        """Complain about the table, or about one of its keys."""
        self.document.refuse(self.path if key is None else (*self.path, key), reason)

    def finish(self) -> None:
        """Complain about keys that nobody asked for."""
        for key in self._content:
            if key not in self._known:
                self.refuse(f"unknown key `{key}`; {nearest(key, self._known)}", key)

    def raw(self, key: str) -> object:
        """Whatever stands there, None where nothing does."""
        self._known.add(key)
        return self._content.get(key)

    def require(self, key: str) -> bool:
        """Whether the key is there; complain when not."""
        if self.has(key):
            return True
        self.refuse(f"`{key}` is missing")
        return False

    def string(self, key: str, default: str | None = None) -> str | None:
        """A text that is not empty."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, str) and value:
            return value
        self.refuse(f"`{key}` must be a text", key)
        return default

    def boolean(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.refuse(f"`{key}` must be true or false", key)
        return default

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.refuse(f"`{key}` must be a whole number from {low} to {high}", key)
        return default

    def fraction(self, key: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        self.refuse(f"`{key}` must be a number from 0 to 1", key)
        return default

    def time(self, key: str) -> time | None:
        """A local time, written 19:30:00 without quotes."""
        value = self.raw(key)
        if value is None or isinstance(value, time):
            return value
        self.refuse(f"`{key}` must be a time, written 19:30:00 without quotes", key)
        return None

    def strings(self, key: str) -> list[tuple[int, str]]:
        """The texts of a list, each with its index."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(f"`{key}` must be a list of texts", key)
            return []
        found: list[tuple[int, str]] = []
        for index, item in enumerate(cast("list[object]", value)):
            if isinstance(item, str) and item.strip():
                found.append((index, item))
            else:
                self.document.refuse((*self.path, key, index), f"item {index + 1} of `{key}` must be a text")
        return found

    def table(self, key: str) -> Node | None:
        """The table at `key`, None where there is none."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(f"`{key}` must be a table", key)
            return None
        return Node(self.document, (*self.path, key), cast("Mapping[str, object]", value))

    def tables(self, key: str) -> list[tuple[str, Node]]:
        """The tables inside of the table at `key`, by name."""
        outer = self.table(key)
        if outer is None:
            return []
        found: list[tuple[str, Node]] = []
        for name in outer.names:
            inner = outer.table(name)
            if inner is not None and not _NAME.match(name):
                outer.refuse(f"`{name}` is no name: up to 40 of a-z, 0-9 and _, a letter first", name)
            elif inner is not None:
                found.append((name, inner))
        return found
