"""Secret references: `file:/path`, `env:NAME`, `secret:NAME`, and `literal:text` for a secret that looks like one."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator_config._fit import Findings
from orchestrator_config._layers import Items, Node, Value
from orchestrator_config._paths import SettingPath
from orchestrator_config._shape import Shape

FILE_LIMIT: Final = 65_536
"""The largest secret file, in bytes."""

_form: Final = re.compile(r"(file|env|secret|literal):(.*)\Z", re.DOTALL)
_variable: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_secret_name: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:@#+-]{0,254}\Z")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A secret that is known by its name to a secret store."""

    name: str
    path: SettingPath
    value: Value


class Unresolved(Exception):
    """The reference leads nowhere; the message says why."""


def resolve(tree: Node, shape: Shape, environments: Sequence[Mapping[str, str]], findings: Findings) -> list[Wanted]:
    """Replace the references in the tree by what they refer to, and return those that a secret store must answer."""
    wanted: list[Wanted] = []
    for path, value in secret_places(tree, shape, ()):
        if not isinstance(value.raw, str) or not (form := _form.match(value.raw)):
            continue
        kind, rest = form[1], form[2]
        try:
            if kind == "secret":
                wanted.append(_named(rest, path, value))
                continue
            secret = _fetch(kind, rest, environments)
        except Unresolved as error:
            findings.drop(path, value.origin, str(error))
            value.raw = None
            continue
        value.raw = secret
        if kind != "literal":
            value.origin = replace(value.origin, reference=f"{kind}:{rest}")
    return wanted


def secret_places(node: Node, shape: Shape, path: SettingPath) -> Iterator[tuple[SettingPath, Value]]:
    """Every value at the place of a secret."""
    if isinstance(node, Value):
        if shape.secret:
            yield path, node
    elif isinstance(node, Items):
        for index, each in enumerate(node.nodes):
            if shape.array:
                yield from secret_places(each, shape.array, (*path, index))
    else:
        for key, child in node.children.items():
            if (below := shape.below(key)) is not None:
                yield from secret_places(child, below, (*path, key))


def _named(name: str, path: SettingPath, value: Value) -> Wanted:
    if not _secret_name.match(name):
        raise Unresolved(
            "refers to no possible name of a secret; write secret:NAME, or literal: before the secret itself"
        )
    value.origin = replace(value.origin, reference=f"secret:{name}")
    return Wanted(name, path, value)


def _fetch(kind: str, rest: str, environments: Sequence[Mapping[str, str]]) -> str:
    if kind == "file":
        return _from_file(rest)
    if kind == "env":
        return _from_environment(rest, environments)
    return rest


def _from_environment(name: str, environments: Sequence[Mapping[str, str]]) -> str:
    if not _variable.match(name):
        raise Unresolved("refers to no possible variable; write env:NAME, or literal: before the secret itself")
    for variables in reversed(environments):
        if name in variables:
            if not variables[name].isprintable() and any("\ud800" <= each <= "\udfff" for each in variables[name]):
                raise Unresolved(f"refers to env:{name}, which is not encoded in UTF-8")
            return variables[name]
    raise Unresolved(f"refers to env:{name}, which is not set")


def _from_file(path: str) -> str:
    # An absolute path only: a relative one would depend on where the process was started.
    if not Path(path).is_absolute() or not path.isprintable():
        raise Unresolved("refers to no absolute path; write file:/path, or literal: before the secret itself")
    failure = ""
    try:
        with Path(path).open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            failure = f"is larger than {FILE_LIMIT} bytes"
        elif not (text := data.decode().removesuffix("\n").removesuffix("\r")):
            failure = "is empty"
        else:
            return text
    except OSError as error:
        failure = f"cannot be read: {os.strerror(error.errno or errno.EIO)}"
    except UnicodeDecodeError:
        failure = "is not encoded in UTF-8"
    raise Unresolved(f"refers to file:{path}, which {failure}")
