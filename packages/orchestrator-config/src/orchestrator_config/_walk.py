"""Looking into values whose types are only known at run time."""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeGuard

from pydantic import BaseModel, Secret, SecretBytes, SecretStr


def members(value: object) -> list[tuple[str, Any]] | None:
    """The names and values of the fields of a model or dataclass instance; None for anything else."""
    if isinstance(value, BaseModel):
        return [(name, getattr(value, name)) for name in type(value).__pydantic_fields__ if hasattr(value, name)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return None


def is_secret(value: object) -> TypeGuard[Secret[Any]]:
    """Whether the value is a secret of one of pydantic's types."""
    return isinstance(value, (SecretStr, SecretBytes, Secret))


def is_table(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether the value is a mapping."""
    return isinstance(value, Mapping)


def is_set(value: object) -> TypeGuard[AbstractSet[Any]]:
    """Whether the value is a set, whose elements have no order."""
    return isinstance(value, (set, frozenset))


def is_array(value: object) -> TypeGuard[Collection[Any]]:
    """Whether the value is what an array may be written for, sets included."""
    return isinstance(value, (list, tuple, set, frozenset, deque))


def is_group(annotation: Any) -> TypeGuard[type]:
    """Whether the type is a model or a dataclass."""
    return isinstance(annotation, type) and _is_group(annotation)


def _is_group(kind: Any) -> bool:
    return issubclass(kind, BaseModel) or hasattr(kind, "__dataclass_fields__")


def key_text(key: object) -> str:
    """The key of a mapping as the file or the variable writes it."""
    return str(key.value) if isinstance(key, enum.Enum) else str(key)
