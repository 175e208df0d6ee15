"""Keys made of arguments: two calls have the same key if and only if their arguments are the same, in type and value."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, cast
from uuid import UUID

from orchestrator_kernel.exceptions import ConfigurationError, ValidationError

__all__ = ["UnkeyableArgument", "encode_key", "key_of_call", "name_of"]

_PLAIN: Final = (datetime, date, time, timedelta, Decimal, UUID, PurePath)
_DEEPEST: Final = 20


class UnkeyableArgument(ValidationError):
    """An argument has no value that could be a part of a key."""

    default_code = "unkeyable_argument"
    default_status = 500


def encode_key(value: object, depth: int = 0) -> bytes:
    """The value and its type in bytes that no other value has.

    Raises:
        UnkeyableArgument: Something in it is no string, number, date, UUID, path, enum, frozen dataclass, or container of these.

    >>> encode_key(1) == encode_key(True), encode_key(("a", "b")) == encode_key(("a:b",))
    (False, False)
    """
    if depth > _DEEPEST:
        raise UnkeyableArgument("an argument is nested too deep for a key; give key= a function")
    kind = type(value)
    if value is None or kind in {bool, int}:
        return _piece("i" if kind is int else "b", repr(value).encode())
    if kind is str:
        return _piece("s", cast("str", value).encode("utf-8", "surrogatepass"))
    if kind in {bytes, bytearray}:
        return _piece("y", bytes(cast("bytes", value)))
    if kind is float:
        return _piece("f", cast("float", value).hex().encode())
    return _encode_rest(value, depth + 1)


def _encode_rest(value: object, depth: int) -> bytes:
    name = f"{type(value).__module__}.{type(value).__qualname__}".encode()
    if isinstance(value, Enum):
        return _piece("e", _piece("n", name) + value.name.encode())
    if isinstance(value, _PLAIN):
        return _piece("p", _piece("n", name) + repr(value).encode())
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return _piece("m", b"".join(sorted(encode_key(key, depth) + encode_key(each, depth) for key, each in pairs)))
    if isinstance(value, AbstractSet):
        return _piece("h", b"".join(sorted(encode_key(each, depth) for each in cast("AbstractSet[object]", value))))
    if type(value) in {tuple, list}:
        return _piece(
            "t" if type(value) is tuple else "l",
            b"".join(encode_key(each, depth) for each in cast("Sequence[object]", value)),
        )
    if is_dataclass(value) and not isinstance(value, type) and _frozen(value):
        parts = b"".join(encode_key(getattr(value, each.name), depth) for each in fields(value) if each.compare)
        return _piece("d", _piece("n", name) + parts)
    raise UnkeyableArgument(
        f"an argument of the type {type(value).__qualname__} cannot be a part of a key; give key= a function, or name it in ignore="
    )


def _frozen(value: object) -> bool:
    return bool(getattr(type(value), "__dataclass_params__").frozen)  # noqa: B009 - not known to type checkers


def _piece(kind: str, data: bytes) -> bytes:
    # With its length before it, no piece can pass for a part of the next.
    return f"{kind}{len(data)}:".encode() + data


def name_of(key: Hashable, secret: bytes = b"") -> str:
    """The name of a key in a shared store: 32 hex digits that tell nothing of it, not even to who tries keys, given a secret.

    Raises:
        UnkeyableArgument: See `encode_key`.
    """
    digest = hashlib.blake2b(encode_key(key), digest_size=16, key=secret[:64])
    return digest.hexdigest()


def key_of_call(function: Callable[..., Any], ignore: Sequence[str] = ()) -> Callable[..., Hashable]:
    """A function that makes the key of a call of `function`: the same however arguments are passed, defaults included.

    Raises:
        ConfigurationError: `ignore` names a parameter that is not there.
    """
    signature = inspect.signature(function)
    strangers = set(ignore) - signature.parameters.keys()
    if strangers:
        raise ConfigurationError(
            f"ignore= names {', '.join(sorted(strangers))}, and {function.__qualname__} has no such"
        )
    names = tuple(signature.parameters)

    def all_text(args: tuple[object, ...]) -> bool:
        # Strings are what most keys are made of, and need no encoding.
        for each in args:  # noqa: SIM110 - all() with a generator takes three times as long
            if type(each) is not str:
                return False
        return True

    simple = not ignore and all(
        each.kind is each.POSITIONAL_OR_KEYWORD and each.default is each.empty for each in signature.parameters.values()
    )

    def key(*args: object, **kwargs: object) -> Hashable:
        if not simple or kwargs or len(args) != len(names):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
        elif all_text(args):
            return args
        else:
            bound = signature.bind(*args)
        if simple and all_text(given := tuple(bound.arguments.values())):
            return given
        return encode_key([[name, each] for name, each in bound.arguments.items() if name not in ignore])

    return key
