"""Declared types: which are containers, and the immutable twin of each.

The declared types of settings are rewritten, so that pydantic validates, serializes and describes what is really there.
"""

from __future__ import annotations

import collections
import collections.abc
import types
import typing
from typing import Annotated, Any, Final

from pydantic import Secret, SecretBytes, SecretStr, SerializeAsAny

SECRETS: Final = (SecretStr, SecretBytes, Secret)
ARRAYS: Final = frozenset(
    {
        list,
        collections.deque,
        collections.abc.Sequence,
        collections.abc.MutableSequence,
        collections.abc.Collection,
        collections.abc.Iterable,
    }
)
SETS: Final = frozenset({set, collections.abc.Set, collections.abc.MutableSet})
TABLES: Final = frozenset(
    {
        dict,
        collections.abc.Mapping,
        collections.abc.MutableMapping,
        collections.OrderedDict,
        collections.defaultdict,
        types.MappingProxyType,
    }
)
UNIONS: Final = frozenset({typing.Union, types.UnionType})


def immutable(annotation: Any, seen: tuple[Any, ...] = ()) -> Any:  # noqa: PLR0911 - one for each form
    """The declared type with every mutable container replaced by its immutable twin."""
    if hasattr(annotation, "__value__"):
        return _immutable_alias(annotation, seen)
    if annotation is bytearray:
        return bytes
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    bare = origin or annotation
    if origin is Annotated:
        return _made(Annotated, (immutable(arguments[0], seen), *annotation.__metadata__))
    if bare in ARRAYS:
        return _made(tuple, (immutable(arguments[0], seen) if arguments else Any, ...))
    if bare in SETS:
        return _made(frozenset, immutable(arguments[0], seen) if arguments else Any)
    if bare in TABLES:
        key, value = arguments if len(arguments) == 2 else (Any, Any)
        return _made(dict, (key, immutable(value, seen)))
    if origin in UNIONS or origin is tuple:
        generic = tuple if origin is tuple else typing.Union
        return _made(generic, tuple(each if each is Ellipsis else immutable(each, seen) for each in arguments))
    return annotation


def _immutable_alias(alias: Any, seen: tuple[Any, ...]) -> Any:
    if alias in seen:
        return alias
    # A type that contains itself (JsonValue) cannot be rewritten; its values are frozen, so serialize what is there.
    if mentions(alias.__value__, alias):
        return _made(SerializeAsAny, alias)
    return immutable(alias.__value__, (*seen, alias))


def _made(generic: Any, arguments: Any) -> Any:
    return generic[arguments]


def mentions(annotation: Any, wanted: Any) -> bool:
    """Whether `wanted` stands somewhere inside the annotation; forward references count by their name."""
    if annotation is wanted:
        return True
    if isinstance(annotation, (str, typing.ForwardRef)):
        name = annotation if isinstance(annotation, str) else annotation.__forward_arg__
        return bool(name == wanted.__name__)
    return any(mentions(each, wanted) for each in typing.get_args(annotation))
