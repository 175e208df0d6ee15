"""Environment variables: which setting a name stands for, and what its text means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from orchestrator_config._fit import expected
from orchestrator_config._layers import Branch, Node
from orchestrator_config._paths import SettingPath, nearest
from orchestrator_config._shape import Shape, static_paths

SEPARATOR: Final = "__"

_booleans: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_integer: Final = re.compile(r"[+-]?[0-9]{1,4000}\Z")
_number: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z|[+-]?(inf|nan)\Z")
_name_part: Final = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*\Z")


class Unfit(Exception):
    """The text is not what the setting takes; the message says why without the text."""


def variable_for(path: SettingPath, prefix: str) -> str:
    """The variable that stands for the path; empty when there is none."""
    names = [step for step in path if isinstance(step, str) and _name_part.match(step)]
    return prefix + SEPARATOR.join(names).upper() if prefix and path and len(names) == len(path) else ""


def locate(parts: list[str], shape: Shape, below: Node | None) -> tuple[SettingPath, Shape] | None:
    """The path that the parts of a name stand for, and the shape there; None when there is no such setting.

    A free key is the one that lower sources have, compared without case, or else the part in lower case.
    """
    path: SettingPath = ()
    for part in parts:
        known = {name.upper(): name for name in shape.fields}
        taken = {key.upper(): key for key in below.children} if isinstance(below, Branch) and shape.table else {}
        key = known.get(part) or (taken.get(part, part.lower()) if shape.table and part else "")
        found = shape.below(key) if key else None
        if found is None:
            return None
        path, shape = (*path, key), found
        below = below.children.get(key) if isinstance(below, Branch) else None
    return path, shape


def nearest_variable(name: str, prefix: str, root: Shape, below: Node | None) -> str:
    """The variable most like an unknown one; empty when none is."""
    parts = name.upper()[len(prefix) :].split(SEPARATOR)
    candidates = {SEPARATOR.join(str(step) for step in path).upper() for path in static_paths(root)}
    for index in range(len(parts)):
        if (found := locate(parts[:index], root, below)) is not None:
            head = SEPARATOR.join([*parts[:index], ""] if index else [])
            candidates |= {head + SEPARATOR.join([field.upper(), *parts[index + 1 :]]) for field in found[1].fields}
    known = {each for each in candidates if locate(each.split(SEPARATOR), root, below) is not None}
    found_name = nearest(SEPARATOR.join(parts), known)
    return prefix + found_name if found_name else ""


def meaning(text: str, shape: Shape) -> object:  # noqa: PLR0911 - one for each form
    """The value that the text of a variable stands for.

    Plain text for a text, true/false/1/0/yes/no/on/off for a boolean, JSON for a table, JSON or a comma list for an array.

    Raises:
        Unfit: It is none of what the setting takes.
    """
    start = text.lstrip()[:1]
    if "raw" in shape.scalars or (shape.secret and start not in _brackets(shape)):
        return text
    if start and start in _brackets(shape):
        return _json(text)
    if "text" in shape.scalars:
        return text
    if "any" in shape.scalars:
        try:
            return _json(text)
        except Unfit:
            return text
    if shape.array and not shape.scalars - {"none"}:
        return _comma_list(text, shape.array)
    return _scalar(text.strip(), shape)


def _brackets(shape: Shape) -> str:
    return ("{" if shape.groups or shape.table else "") + ("[" if shape.array else "")


def _scalar(text: str, shape: Shape) -> object:
    if "none" in shape.scalars and text == "null":
        return None
    if "int" in shape.scalars and _integer.match(text):
        return int(text)
    if "float" in shape.scalars and _number.match(text):
        return float(text)
    if "bool" in shape.scalars and text.lower() in _booleans:
        return _booleans[text.lower()]
    if shape.scalars <= {"bool", "none"} and "bool" in shape.scalars:
        raise Unfit("should be true, false, 1, 0, yes, no, on or off")
    if (shape.groups or shape.table) and not shape.scalars - {"none"}:
        raise Unfit("should be a JSON object, or be set member by member with __ between the names")
    raise Unfit(f"should be {expected(shape)}")


def _comma_list(text: str, element: Shape) -> list[object]:
    if not text.strip():
        return []
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise Unfit("has an empty element; write a JSON array if that is meant")
    if not element.scalars:
        raise Unfit("should be a JSON array")
    return [part if element.secret else meaning(part, element) for part in parts]


def _json(text: str) -> object:
    failure = ""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        failure = f"is not valid JSON (line {error.lineno}, column {error.colno})"
    except _DuplicateKeyError:
        failure = "is not valid JSON: an object has the same key twice"
    except (ValueError, RecursionError):
        failure = "is not valid JSON: a number is out of range, or it is nested too deeply"
    raise Unfit(failure)


class _DuplicateKeyError(ValueError):
    """An object has two members of one name."""


def _unique(members: list[tuple[str, object]]) -> Mapping[str, object]:
    made = dict(members)
    if len(made) != len(members):
        raise _DuplicateKeyError
    return made


def _no_constant(_name: str) -> object:
    raise ValueError
