"""pydantic's errors in the words of settings: the path, where the value came from, what to do."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from orchestrator_config._fit import Findings, nearest_path
from orchestrator_config._layers import Items, Node, Value, at
from orchestrator_config._paths import SettingPath, related
from orchestrator_config._shape import Shape, locate

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails

_UNKNOWN: Final = {"extra_forbidden", "unexpected_keyword_argument"}
_MISSING: Final = {"missing", "missing_argument", "missing_keyword_only_argument", "missing_positional_only_argument"}
_prefixes: Final = ("Value error, ", "Assertion failed, ", "Input ")


def note_errors(
    error: ValidationError, root: Shape, tree: Node, findings: Findings, variable: Callable[[SettingPath], str]
) -> None:
    """Add what pydantic found, except what follows from a problem that is noted already.

    Args:
        error: Already without input.
        root: The shape of the whole model.
        tree: What was validated.
        findings: Where to add to.
        variable: The name of the environment variable for a path; empty when there is none.
    """
    reasons: dict[SettingPath, list[str]] = {}
    hints: dict[SettingPath, str] = {}
    noted = {path for path, _ in findings.problems}
    lost = {path for path in findings.dropped if at(tree, path) is None}
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    for each in errors:
        path, shape = locate(each["loc"], root)
        if path in noted or any(related(path, other) for other in lost) or _follows(each, errors):
            continue
        reason = _reason(each, path, variable)
        if each["type"] in _UNKNOWN and path:
            hints[path] = nearest_path(path, shape, root)
        known = reasons.setdefault(path, [])
        if reason not in known:
            known.append(reason)
    for path, texts in reasons.items():
        findings.add(path, _source(at(tree, path)), ", or ".join(texts), hints.get(path, ""))


def _follows(error: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """Whether an array is only called too short because its wrong elements were not counted."""
    where = error["loc"]
    return error["type"] == "too_short" and any(
        each["loc"][: len(where)] == where and len(each["loc"]) > len(where) for each in errors
    )


def _reason(error: ErrorDetails, path: SettingPath, variable: Callable[[SettingPath], str]) -> str:
    if error["type"] in _UNKNOWN:
        return "is not a known setting"
    if error["type"] in _MISSING:
        name = variable(path)
        return f"is required; set {name}" if name else "is required"
    text = error["msg"]
    for prefix in _prefixes:
        text = text.removeprefix(prefix)
    return text


def _source(node: Node | None) -> str:
    return str(node.origin) if isinstance(node, (Value, Items)) else ""


def note_crash(error: Exception, findings: Findings) -> None:
    """Add that a validator of the model failed with something other than a ValueError; its text may hold anything."""
    frames = list(_frames(error))
    place = f" at {frames[-1]}" if frames else ""
    findings.add(
        (), "", f"a validator of the model failed with {type(error).__name__}{place}; it should raise ValueError"
    )


def _frames(error: Exception) -> Iterator[str]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
