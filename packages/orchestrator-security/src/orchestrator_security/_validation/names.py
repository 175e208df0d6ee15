"""Texts of strangers that become file names, header values or lines of a log."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote

from orchestrator_kernel.exceptions import SecurityError
from orchestrator_security._validation.errors import NameRefused

__all__ = ["content_disposition", "header_value", "log_text", "safe_file_name"]

_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)", re.IGNORECASE)
_SIGNS: Final = frozenset("._-+@ ()")
_HEADER: Final = re.compile(r"[\t\x20-\x7e]*\Z")
_UNSEEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\\]"
)


def safe_file_name(name: str, *, error: type[SecurityError] = NameRefused) -> str:
    """The name in Unicode form NFC, made of letters, digits and `._-+@ ()`.

    Raises:
        NameRefused: It is empty, longer than 255 bytes, begins with a dot or a hyphen, ends with a dot or a space, is a device's name
            on Windows, or holds another character.
    """
    name = unicodedata.normalize("NFC", name)
    plain = all(letter in _SIGNS or letter.isalnum() or unicodedata.category(letter) == "Mn" for letter in name)
    if not plain or not 0 < len(name.encode("utf-8", "surrogatepass")) <= 255:
        raise error("A file name has 1 to 255 bytes of letters, digits and . _ - + @ ( ) or space.")
    if name[0] in ".- " or name[-1] in ". " or _RESERVED.match(name):
        raise error("A file name does not begin with a dot, a hyphen or a space, and is no device.")
    return name


def header_value(text: str) -> str:
    """The text itself, if it can be a header's value: printable ASCII, spaces and tabs inside.

    Raises:
        NameRefused: It holds a line break or another character that no header may hold (CWE-113).
    """
    if not _HEADER.match(text) or text != text.strip():
        raise NameRefused("A header value is printable ASCII on one line.")
    return text


def content_disposition(name: str) -> str:
    """An `attachment` whose name every client understands (RFC 6266): in ASCII, and in full where that differs.

    Raises:
        NameRefused: It is no file name.
    """
    name = safe_file_name(name)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = plain if plain.strip(" .") else "download"
    disposition = f'attachment; filename="{plain}"'
    return disposition if plain == name else f"{disposition}; filename*=UTF-8''{quote(name, safe='')}"


def log_text(text: str, *, limit: int = 500) -> str:
    """The text on one line of a log, unmistakable: control, direction and invisible characters are escaped (CWE-117).

    The backslash is escaped too, so that nobody can write what looks escaped. Beyond `limit` characters it is cut, and says so.
    """
    cut = text[:limit]
    safe = _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), cut)
    return safe if len(text) <= limit else f"{safe}… ({len(text)} characters)"
