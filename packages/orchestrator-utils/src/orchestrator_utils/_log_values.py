"""What may stand in a log line: any value as a JSON tree, any exception without the values of its variables. Pure functions."""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final, TypeAlias, cast

__all__ = ["Tree", "exception_of", "exception_text", "exception_tree", "plain"]

Tree: TypeAlias = "str | int | float | bool | list[Tree] | dict[str, Tree] | None"
"""A JSON value; assignable to the kernel's `Json`."""

_MAX_DEPTH: Final = 8
_MAX_FRAMES: Final = 50
_MAX_CHAIN: Final = 16
_INT64: Final = 2**63
_UNCHANGED: Final = frozenset({str, bool, type(None)})
_TIMES: Final = (datetime, date, time)
_CONTAINERS: Final = (Mapping, Sequence, AbstractSet)
# Their texts quote the input that was refused; (module, class names).
_QUOTING_INPUT: Final = (
    ("pydantic_core", ("ValidationError",)),
    ("fastapi.exceptions", ("ValidationException",)),
)


def plain(value: object, depth: int = _MAX_DEPTH) -> Tree:
    """The value as a JSON tree; what has no JSON form becomes its text, what lies too deep becomes "…". Never raises."""
    kind = type(value)
    if kind in _UNCHANGED:
        return cast("Tree", value)
    if kind is dict or kind is list:
        return _plain_container(cast("Iterable[object]", value), depth - 1) if depth > 0 else "…"
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if isinstance(value, str | int | float):
        return _plain_scalar(value)
    return _plain_object(value, depth)


def _plain_scalar(value: str | float) -> Tree:
    if isinstance(value, int):
        return int(value) if -_INT64 <= value < _INT64 else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return str.__str__(value)


def _plain_object(value: object, depth: int) -> Tree:
    if isinstance(value, _TIMES):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if isinstance(value, BaseException):
        return f"{type(value).__qualname__}: {_message(value)}"
    if isinstance(value, _CONTAINERS):
        return _plain_container(cast("Iterable[object]", value), depth - 1) if depth > 0 else "…"
    return _text(value)


def _plain_container(value: Iterable[object], depth: int) -> Tree:
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value)
        return {
            key if type(key) is str else _text(key): cast("Tree", one) if type(one) in _UNCHANGED else plain(one, depth)
            for key, one in items.items()
        }
    return [plain(one, depth) for one in value]


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a value that cannot even be printed must not cost the event
        return f"<unprintable {type(value).__qualname__}>"


def exception_of(exc_info: object) -> BaseException | None:
    """The exception meant by any of the forms that logging accepts: True, an exception, or the triple of `sys.exc_info`."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        found = cast("tuple[object, ...]", exc_info)[1:2]
        return found[0] if found and isinstance(found[0], BaseException) else None
    return sys.exception() if exc_info else None


def exception_tree(error: BaseException) -> list[Tree]:
    """The error and what stands behind it, outermost first; each with type, message and frames, none with local variables."""
    chain: list[Tree] = []
    seen: set[int] = set()
    following: BaseException | None = error
    relation = ""
    while following is not None and id(following) not in seen and len(chain) < _MAX_CHAIN:
        seen.add(id(following))
        entry = _one(following)
        if relation:
            entry["relation"] = relation
        chain.append(entry)
        relation = "cause" if following.__cause__ is not None else "context"
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return chain


def _one(error: BaseException) -> dict[str, Tree]:
    kind = type(error)
    frames = list(traceback.walk_tb(error.__traceback__))[-_MAX_FRAMES:]
    entry: dict[str, Tree] = {
        "type": kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}",
        "message": _message(error),
        "frames": [f"{frame.f_code.co_filename}:{line} {frame.f_code.co_qualname}" for frame, line in frames],
    }
    if isinstance(error, BaseExceptionGroup):
        members = cast("BaseExceptionGroup[BaseException]", error).exceptions
        entry["exceptions"] = [exception_tree(member) for member in members[:_MAX_CHAIN]]
    return entry


def _message(error: BaseException) -> str:
    for module, names in _QUOTING_INPUT:
        loaded = sys.modules.get(module)
        if any(isinstance(error, getattr(loaded, name, ())) for name in names):
            return _without_input(error)
    return _text(error)


def _without_input(error: Any) -> str:
    errors: Iterable[Mapping[str, Any]] = error.errors()
    return "; ".join(f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('type', 'invalid')}" for one in errors)


def exception_text(chain: object, indent: str = "  ") -> str:
    """`exception_tree` for a terminal; takes whatever a redactor left of it."""
    if not isinstance(chain, list):
        return f"{indent}{chain}"
    return "\n".join(line for entry in cast("list[object]", chain) for line in _entry_lines(entry, indent))


def _entry_lines(entry: object, indent: str) -> Iterable[str]:
    if not isinstance(entry, dict):
        yield f"{indent}{entry}"
        return
    fields = cast("dict[str, Any]", entry)
    relation = {"cause": "caused by ", "context": "while handling "}.get(fields.get("relation", ""), "")
    yield f"{indent}{relation}{fields.get('type')}: {fields.get('message')}"
    yield from (f"{indent}  {frame}" for frame in fields.get("frames") or ())
    yield from (exception_text(member, indent + "  | ") for member in fields.get("exceptions") or ())
