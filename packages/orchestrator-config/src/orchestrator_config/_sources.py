"""The sources that settings are loaded from, and reading them."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeAlias

from orchestrator_config import _toml
from orchestrator_config._fit import Findings, Fitter
from orchestrator_config._layers import Branch, Node, merge
from orchestrator_config._paths import SettingPath, printable, render_path
from orchestrator_config._report import Origin, SettingsProblem, SettingsWarning
from orchestrator_config._shape import Shape
from orchestrator_config._variables import SEPARATOR, Unfit, locate, meaning, nearest_variable, variable_for
from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["Environment", "Source", "TomlFile", "Values"]

_prefix: Final = re.compile(r"[A-Z][A-Z0-9_]*_\Z")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A TOML file in UTF-8.

    Args:
        path: Of the file.
        required: Whether it is wrong that the file does not exist. A file that exists and cannot be read always is.
    """

    path: str | os.PathLike[str]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment variables under a prefix: `ORCHESTRATOR_DATABASE__POOL_SIZE` is `database.pool_size`.

    Args:
        variables: For example `os.environ`. Values of variables outside the prefix are read only where a secret refers to one
            by `env:NAME`.
        prefix: Upper case, with its final underscore.
        ignore: Variables under the prefix that are no settings, such as the one that names the settings file. Shell patterns:
            `APP_PORT_*`.
    """

    variables: Mapping[str, str] = field(repr=False)
    prefix: str
    ignore: Collection[str] = ()

    def __post_init__(self) -> None:
        if not _prefix.match(self.prefix):
            raise ConfigurationError(f"the prefix {self.prefix!r} must be upper case and end with an underscore")


@dataclass(frozen=True, slots=True)
class Values:
    """Values that the program has at hand, for example from its command line.

    Args:
        values: Nested as the model is; JSON values, or values of the fields' own types.
        name: Shown as their origin.
    """

    values: Mapping[str, object] = field(repr=False)
    name: str = "values"


Source: TypeAlias = TomlFile | Environment | Values


def require_sources(given: Iterable[object]) -> None:
    """Check the types, since a source that is passed over in silence would be a setting that is not in force."""
    for each in given:
        if not isinstance(each, (TomlFile, Environment, Values)):
            raise ConfigurationError(f"{type(each).__name__} is no source: use TomlFile, Environment or Values")


def read_source(
    source: Source, shape: Shape, below: Node, aliases: Mapping[str, SettingPath], findings: Findings
) -> Node | None:
    """What the source says, as a tree; None when it says nothing. `below` is what the sources before it said."""
    match source:
        case TomlFile():
            return _read_toml(source, shape, findings)
        case Values():
            origin = Origin("values", source.name)
            return Fitter(shape, lambda _path: origin, findings).node(source.values, shape, ())
        case Environment():
            return _EnvironmentReader(source, shape, below, aliases, findings).read()


def _read_toml(source: TomlFile, shape: Shape, findings: Findings) -> Node | None:
    name = os.fspath(source.path)
    try:
        with Path(source.path).open("rb") as file:
            data = file.read()
    except FileNotFoundError:
        if source.required:
            _unreadable(findings, name, "there is no such file")
        return None
    except OSError as error:
        _unreadable(findings, name, f"cannot be read: {os.strerror(error.errno or errno.EIO)}")
        return None
    try:
        content, lines = _toml.parse(data)
    except _toml.Unreadable as error:
        _unreadable(findings, str(Origin("file", name, error.line)), error.reason)
        return None
    return Fitter(shape, lambda path: Origin("file", name, lines.get(path)), findings).node(content, shape, ())


def _unreadable(findings: Findings, source: str, reason: str) -> None:
    findings.incomplete = True
    findings.add((), source, reason)


@dataclass(frozen=True, slots=True)
class _Assignment:
    variable: str
    path: SettingPath
    shape: Shape


@dataclass(frozen=True, slots=True)
class _EnvironmentReader:
    source: Environment
    shape: Shape
    below: Node
    aliases: Mapping[str, SettingPath]
    findings: Findings

    def read(self) -> Node | None:
        tree: Node | None = None
        assignments = self._by_name()
        # The more specific variable wins, so that one member of a JSON object can be replaced.
        for each in sorted([*assignments, *self._by_alias(assignments)], key=lambda each: len(each.path)):
            if (node := self._node(each)) is not None:
                tree = merge(tree, node)
        return tree

    def _by_name(self) -> list[_Assignment]:
        prefix, found = self.source.prefix, list[_Assignment]()
        for name in sorted(self.source.variables):
            ignored = any(fnmatchcase(name, pattern) for pattern in self.source.ignore)
            if not name.upper().startswith(prefix) or ignored or name in self.aliases:
                continue
            place = (
                locate(name[len(prefix) :].split(SEPARATOR), self.shape, self.below) if name == name.upper() else None
            )
            if place is not None:
                found.append(_Assignment(name, *place))
                continue
            path = tuple(name[len(prefix) :].lower().split(SEPARATOR))
            near = nearest_variable(name, prefix, self.shape, self.below)
            reason = (
                "is not a known setting"
                if name == name.upper() or near != name.upper()
                else "is no setting: variables are written in upper case"
            )
            problem = SettingsProblem(render_path(path), printable(name), reason, near)
            self.findings.unknown_variables[name] = (path, problem)
        return found

    def _by_alias(self, assignments: list[_Assignment]) -> list[_Assignment]:
        by_name = {each.path: each.variable for each in assignments}
        by_alias: dict[SettingPath, _Assignment] = {}
        for old, path in self.aliases.items():
            if old not in self.source.variables:
                continue
            new = variable_for(path, self.source.prefix)
            if path in by_name:
                self._warn(old, path, f"is an old name and is ignored, because {by_name[path]} is set")
            elif path in by_alias and self._text(old) != self._text(by_alias[path].variable):
                self.findings.drop(path, old, f"contradicts {by_alias[path].variable}; set {new} instead of both")
            else:
                self._warn(old, path, f"is an old name; set {new} instead")
                by_alias[path] = _Assignment(old, path, shape_at(path, self.shape))
        return list(by_alias.values())

    def _warn(self, old: str, path: SettingPath, message: str) -> None:
        self.findings.warnings.append(SettingsWarning(old, render_path(path), message))

    def _text(self, name: str) -> str:
        return self.source.variables[name]

    def _node(self, assignment: _Assignment) -> Node | None:
        origin, path = Origin("environment", assignment.variable), assignment.path
        text = self._text(assignment.variable)
        try:
            text.encode()
            value = meaning(text, assignment.shape)
        except UnicodeEncodeError:
            self.findings.drop(path, origin, "is not encoded in UTF-8")
            return None
        except Unfit as error:
            self.findings.drop(path, origin, str(error))
            return None
        node = Fitter(self.shape, lambda _path: origin, self.findings).node(value, assignment.shape, path)
        for step in reversed(path):
            node = None if node is None else Branch({str(step): node}, origin)
        return node


def shape_at(path: SettingPath, root: Shape) -> Shape:
    """The shape at a path that is known to exist."""
    shape: Shape | None = root
    for step in path:
        shape = shape.below(str(step)) if shape else None
    if shape is None:
        raise ConfigurationError(f"the model has no setting {render_path(path)}", code="setting_unknown")
    return shape
