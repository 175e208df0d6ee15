"""Plain data as YAML that any reader takes, without a dependency: block style, and texts quoted as JSON, whose quoting YAML shares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

__all__ = ["Plain", "yaml_text"]

Plain: TypeAlias = Mapping[str, "Plain"] | Sequence["Plain"] | str | int | float | bool


def yaml_text(value: Plain, comment: str = "") -> str:
    """One document, with a comment on top."""
    top = "".join(f"# {line}\n" for line in comment.splitlines())
    return top + "\n".join(_lines(value)) + "\n"


def _lines(value: Plain) -> list[str]:
    if isinstance(value, str | int | float | bool) or not value:
        return [json.dumps(value if isinstance(value, str | int | float | bool) else _empty(value), ensure_ascii=False)]
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, each in value.items():
            below = _lines(each)
            if _nested(each):
                lines += [f"{key}:", *(f"  {line}" for line in below)]
            else:
                lines.append(f"{key}: {below[0]}")
        return lines
    for each in value:
        first, *rest = _lines(each)
        lines += [f"- {first}", *(f"  {line}" for line in rest)]
    return lines


def _empty(value: object) -> object:
    return {} if isinstance(value, Mapping) else []


def _nested(value: Plain) -> bool:
    return not isinstance(value, str | int | float | bool) and bool(value)
