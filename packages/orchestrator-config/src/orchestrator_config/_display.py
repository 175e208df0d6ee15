"""Settings as they may be shown: every secret replaced by asterisks."""

from __future__ import annotations

import enum
import json
import math
import re
from typing import Any, Final

from pydantic import BaseModel

from orchestrator_config._walk import is_array, is_secret, is_set, is_table, key_text, members

HIDDEN: Final = "**********"

_url_password: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#\s:@]*:)\S*@")


def redacted(model: BaseModel) -> dict[str, Any]:
    """The settings for a log: JSON values only, declared secrets and the passwords of URLs replaced by asterisks.

    Bytes are shown by their length. Works on any pydantic model.
    """
    return {name: plain(member) for name, member in members(model) or ()}


def rendered(value: object) -> str:
    """One value as JSON text, secrets hidden."""
    return json.dumps(plain(value), ensure_ascii=False)


def without_password(text: str) -> str:
    """The text with the password of a URL hidden; anything up to the last @ may belong to it."""
    return _url_password.sub(rf"\1{HIDDEN}@", text) if "://" in text else text


class Shown:
    """Stands for a value in a representation, with the passwords of URLs hidden."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return without_password(repr(self._value))


def plain(value: Any) -> Any:  # noqa: PLR0911 - one for each type
    """The value as JSON would hold it, secrets hidden."""
    if is_secret(value):
        return HIDDEN
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    if (known := members(value)) is not None:
        return {name: plain(member) for name, member in known}
    if is_table(value):
        return {key_text(key): plain(member) for key, member in value.items()}
    if is_array(value):
        shown = [plain(each) for each in value]
        return sorted(shown, key=repr) if is_set(value) else shown
    return without_password(str(value))
