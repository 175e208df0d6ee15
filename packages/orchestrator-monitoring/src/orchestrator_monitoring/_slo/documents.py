"""Files of settings read so that every refusal can name its line; TOML, and YAML with the extra `[yaml]`."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._slo.durations import seconds_of

__all__ = ["Document", "Fields", "Path", "toml_document", "yaml_documents"]

Path = tuple[str | int, ...]
T = TypeVar("T")
_header = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]").match
_key = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*=").match
_short_time = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m)").fullmatch
_at_line = re.compile(r"\(at line (\d+)")
_MOST_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its content, and the line of each of its members."""

    file: str
    content: Mapping[str, object]
    lines: Mapping[Path, int]
    error: type[ConfigurationError]

    def line(self, path: Path) -> int:
        """The line of a member, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def refuse(self, path: Path, reason: str) -> NoReturn:
        """Say what is wrong with a member.

        Raises:
            ConfigurationError: Of the document's kind: file, line and reason.
        """
        line = self.line(path)
        raise self.error(f"{self.file}:{line}: {reason}", details={"file": self.file, "line": line})

    def root(self) -> Fields:
        """The document's own members."""
        return Fields(self, self.content, ())


class Fields:
    """The members of one table, taken one by one; what is left over at the end is refused."""

    def __init__(self, document: Document, values: Mapping[str, object], path: Path) -> None:
        self.document = document
        self.path = path
        self._values = values
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def refuse(self, reason: str, name: str | None = None) -> NoReturn:
        """Say what is wrong with the table, or with one member."""
        self.document.refuse(self.path if name is None else (*self.path, name), reason)

    def retell(self, error: ConfigurationError) -> NoReturn:
        """Say what was wrong with a value made of this table; what names its line already is told as it is."""
        if "line" in error.details:
            raise error
        self.refuse(error.message)

    def raw(self, name: str) -> object:
        """A member as it is, None when absent."""
        self._taken.add(name)
        return self._values.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        """A text; refused when it is absent without default, or empty without one."""
        value = self.raw(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.refuse(f"{name} must be a text" if name in self._values else f"{name} is missing", name)
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        value = self.raw(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            self.refuse(f"{name} must be a number" if name in self._values else f"{name} is missing", name)
        return float(value)

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        value = self.number(name, default)
        if value != int(value):
            self.refuse(f"{name} must be a whole number", name)
        return int(value)

    def seconds(self, name: str, default: int | None = None) -> int:
        """A duration such as 30d, in seconds."""
        value = self.raw(name)
        if value is None and default is not None:
            return default
        return self.parsed(name, seconds_of)

    def short_time(self, name: str) -> float:
        """Seconds, written as 250ms, 2.5s or 2m."""
        found = _short_time(self.text(name))
        if found is None or not float(found[1]):
            self.refuse(f"{name} must be a time such as 250ms, 2.5s or 2m", name)
        return round(float(found[1]) * {"ms": 0.001, "s": 1, "m": 60}[found[2]], 9)

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """A text as `parse` reads it; its ValueError becomes a refusal."""
        text = self.text(name)
        try:
            return parse(text)
        except ValueError as error:
            self.refuse(f"{name}: {error}", name)

    def choice(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        """One of these texts."""
        value = self.text(name, default)
        if value not in options:
            self.refuse(f"{name} must be one of {', '.join(options)}, not {value!r}", name)
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.refuse(f"{name} must be true or false", name)
        return value

    def texts(self, name: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self.raw(name)
        if value is None:
            return tuple(default)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[object]", value)):
            self.refuse(f"{name} must be a list of texts", name)
        return tuple(cast("list[str]", value))

    def mapping(self, name: str) -> dict[str, str]:
        """A table of texts."""
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.refuse(f"{name} must be a table of texts", name)
        found = cast("dict[object, object]", value)
        if not all(isinstance(each, str) for pair in found.items() for each in pair):
            self.refuse(f"{name} must be a table of texts", name)
        return cast("dict[str, str]", found)

    def table(self, name: str) -> Fields | None:
        """A table below this one; None when absent."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(f"{name} must be a table", name)
        return Fields(self.document, cast("dict[str, object]", value), (*self.path, name))

    def tables(self, name: str) -> Iterator[Fields]:
        """The tables of a list below this one."""
        value = self.raw(name)
        if value is None:
            return
        if not isinstance(value, list):
            self.refuse(f"{name} must be a list of tables", name)
        for index, each in enumerate(cast("list[object]", value)):
            if not isinstance(each, dict):
                self.document.refuse((*self.path, name, index), f"{name} must be a list of tables")
            yield Fields(self.document, cast("dict[str, object]", each), (*self.path, name, index))

    def end(self, what: str) -> None:
        """Refuse members that nobody asked for: a typing error would else be a setting that does nothing."""
        for name in self._values:
            if name not in self._taken:
                self.refuse(f"{what} has no member {name!r}; it has {', '.join(sorted(self._taken))}", name)


def toml_document(text: str, file: str, error: type[ConfigurationError]) -> Document:
    """Read TOML.

    Raises:
        ConfigurationError: Of the kind `error`: it is no TOML; says in which line.
    """
    empty = Document(file, {}, {(): 1}, error)
    if len(text) > _MOST_BYTES:
        empty.refuse((), "the file is larger than a megabyte")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        found = _at_line.search(str(problem))
        line = int(found[1]) if found else text.count("\n") + 1
        Document(file, {}, {(): line}, error).refuse((), f"no TOML: {problem}")
    return Document(file, content, _toml_lines(text), error)


def _toml_lines(text: str) -> dict[Path, int]:
    """The lines of headers and keys."""
    lines: dict[Path, int] = {}
    counts: Counter[Path] = Counter()
    here: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if found := _header(line):
            here = _resolved([part.strip().strip("\"'") for part in found[2].split(".")], counts, new=found[1] == "[[")
            lines.setdefault(here, number)
            if isinstance(here[-1], int):
                lines.setdefault(here[:-1], number)
        elif found := _key(line):
            lines.setdefault((*here, found[1].strip('"')), number)
    return lines


def _resolved(names: Sequence[str], counts: Counter[Path], *, new: bool) -> Path:
    """The path of a header, with the index of each list of tables on the way."""
    path: Path = ()
    for position, name in enumerate(names):
        path = (*path, name)
        if new and position == len(names) - 1:
            counts[path] += 1
            for below in [each for each in counts if each[: len(path)] == path and len(each) > len(path) + 1]:
                if below[len(path)] == counts[path] - 1:
                    del counts[below]
        if counts[path]:
            path = (*path, counts[path] - 1)
    return path


def yaml_documents(text: str, file: str, error: type[ConfigurationError]) -> list[Document]:
    """Read all documents of a YAML file.

    Raises:
        ConfigurationError: Of the kind `error`: it is no YAML, says in which line; or the extra is not installed.
    """
    try:
        import yaml  # noqa: PLC0415 - only with the extra
    except ModuleNotFoundError:
        raise ConfigurationError("YAML needs the extra: install orchestrator-monitoring[yaml]") from None
    empty = Document(file, {}, {(): 1}, error)
    if len(text) > _MOST_BYTES:
        empty.refuse((), "the file is larger than a megabyte")
    loader = yaml.SafeLoader(text)
    documents: list[Document] = []
    try:
        while loader.check_node():
            node = loader.get_node()
            lines: dict[Path, int] = {}
            _yaml_lines(node, (), lines, Document(file, {}, lines, error))
            construct = cast("Callable[[object], object]", getattr(loader, "construct_document"))  # noqa: B009 - it is not typed
            content = construct(node)
            if not isinstance(content, dict):
                Document(file, {}, lines, error).refuse((), "a document must be a mapping")
            documents.append(Document(file, cast("dict[str, object]", content), lines, error))
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        reason = getattr(problem, "problem", None) or "it cannot be read"
        Document(file, {}, {(): line}, error).refuse((), f"no YAML: {reason}")
    except (ValueError, RecursionError) as problem:
        empty.refuse((), f"no YAML: {problem}")
    finally:
        loader.dispose()
    return documents


def _yaml_lines(node: object, path: Path, lines: dict[Path, int], document: Document) -> None:
    import yaml  # noqa: PLC0415 - loaded by the caller

    if not isinstance(node, yaml.Node):
        return
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            below = (*path, str(key.value))
            twice = below in lines
            lines[below] = key.start_mark.line + 1
            if twice:
                document.refuse(below, f"{key.value} stands there twice")
            _yaml_lines(value, below, lines, document)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(cast("list[yaml.Node]", node.value)):
            _yaml_lines(value, (*path, index), lines, document)
