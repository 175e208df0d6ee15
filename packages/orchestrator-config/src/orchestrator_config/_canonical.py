"""The canonical form of settings, and its hash.

JSON by the rules of RFC 8785: members sorted by their UTF-16 code units, numbers as ECMAScript writes them, no white space.
A value that JSON has no type for becomes an object with one member that names its type, as in `{"$date": "2026-01-31"}`;
a key of a table that begins with `$` gets another `$`, so that the two are never confused.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from orchestrator_config._display import without_password
from orchestrator_config._walk import is_array, is_secret, is_set, is_table, key_text, members
from orchestrator_kernel.exceptions import ConfigurationError


def digest(value: object) -> str:
    """`sha256:` and the hash of the settings without what is secret; equal for equal settings, whatever their source."""
    return "sha256:" + hashlib.sha256(canonical(value, with_secrets=False).encode(errors="surrogatepass")).hexdigest()


def keyed_digest(value: object, key: bytes) -> str:
    """`hmac-sha256:` and the keyed hash of the settings with what is secret."""
    text = canonical(value, with_secrets=True).encode(errors="surrogatepass")
    return "hmac-sha256:" + hmac.new(key, text, hashlib.sha256).hexdigest()


def canonical(value: Any, *, with_secrets: bool) -> str:  # noqa: PLR0911 - one for each type
    """The canonical text of a value; without secrets, every secret and every password of a URL is the same."""
    if is_secret(value):
        return _tagged("secret", canonical(value.get_secret_value(), with_secrets=True) if with_secrets else "true")
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, enum.Enum):
        text = canonical(value.value, with_secrets=with_secrets)
        return text if isinstance(value, (str, int)) else _tagged(type(value).__name__, text)
    if isinstance(value, str):
        return _string(str(value) if with_secrets else without_password(value))
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if (known := members(value)) is not None:
        return _object({name: canonical(member, with_secrets=with_secrets) for name, member in known})
    if is_table(value):
        texts = {key_text(key): canonical(member, with_secrets=with_secrets) for key, member in value.items()}
        return _object({f"${key}" if key.startswith("$") else key: text for key, text in texts.items()})
    if is_array(value):
        each = [canonical(element, with_secrets=with_secrets) for element in value]
        return _tagged("set", _array(sorted(each))) if is_set(value) else _array(each)
    return _other(value, with_secrets=with_secrets)


def _other(value: Any, *, with_secrets: bool) -> str:
    if isinstance(value, dt.datetime) and value.utcoffset() is not None:
        value = value.astimezone(dt.UTC)
    if isinstance(value, dt.timedelta):
        return _tagged("timedelta", str(value // dt.timedelta(microseconds=1)))
    if isinstance(value, decimal.Decimal):
        return _tagged("Decimal", _string(_plain_decimal(value)))
    if hasattr(value, "unicode_string"):  # pydantic's URLs, which older versions do not serialize by themselves
        return _tagged(type(value).__name__, canonical(str(value), with_secrets=with_secrets))
    try:
        shown = to_jsonable_python(value, bytes_mode="base64")
    except PydanticSerializationError:
        raise ConfigurationError(f"a value of type {type(value).__name__} has no canonical form") from None
    return _tagged(type(value).__name__, canonical(shown, with_secrets=with_secrets))


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _array(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


def _object(texts: Mapping[str, str]) -> str:
    keys = sorted(texts, key=lambda key: key.encode("utf-16-be", errors="surrogatepass"))
    return "{" + ",".join(f"{_string(key)}:{texts[key]}" for key in keys) + "}"


def _tagged(kind: str, text: str) -> str:
    return _object({f"${kind}": text})


def _number(value: float) -> str:
    """As ECMAScript's Number.prototype.toString writes it; what is not finite as a tagged text."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - a NaN is the one value unlike itself
        return _tagged("float", _string(repr(value)))
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        return _plain_decimal(decimal.Decimal(repr(value)))
    digits, exponent = repr(value).split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent):+d}"


def _plain_decimal(value: decimal.Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
