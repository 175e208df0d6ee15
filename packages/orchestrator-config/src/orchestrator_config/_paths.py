"""Where a setting lies in the model, and how that is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final, TypeAlias

Step: TypeAlias = str | int
SettingPath: TypeAlias = tuple[Step, ...]

_bare_key: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


def render_path(path: SettingPath) -> str:
    """The path as TOML would write it, with list positions in brackets: `tenants."a.b".numbers[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _bare_key.match(step) else quoted(step))
    return text


def quoted(text: str) -> str:
    """The text between double quotes, on one line and safe to print on a terminal."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def printable(name: str) -> str:
    """The name itself, or quoted when it would disturb a terminal."""
    return name if name.isprintable() else quoted(name)


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The candidate most like `name`, or an empty string when none is like it."""
    import difflib  # noqa: PLC0415 - only when something is wrong

    found = difflib.get_close_matches(name, sorted(set(candidates)), n=1)
    return found[0] if found else ""


def related(path: SettingPath, other: SettingPath) -> bool:
    """Whether one of the two lies on the way to the other."""
    shared = min(len(path), len(other))
    return path[:shared] == other[:shared]
