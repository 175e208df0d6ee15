"""What the author of a model must put right before any setting can be loaded into it."""

from __future__ import annotations

import collections
import dataclasses
import re
import typing
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, RootModel

from orchestrator_config._types import ARRAYS, SECRETS, SETS, TABLES
from orchestrator_config._walk import is_group
from orchestrator_kernel.exceptions import ConfigurationError

_field_name: Final = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*\Z")
_mutable: Final = (list, set, dict, bytearray, collections.deque)


def require_sound(model: type[BaseModel]) -> None:
    """Build the model's schema, and check it and every model inside it.

    Raises:
        ConfigurationError: A model can be changed after it was made, or has a field that cannot be addressed. Names them all.
    """
    found: list[str] = []
    seen: set[type] = set()
    waiting: list[type] = [model]
    while waiting:
        group = waiting.pop()
        if group in seen:
            continue
        seen.add(group)
        if issubclass(group, BaseModel):
            group.model_rebuild()
        found.extend(f"{group.__name__}{fault}" for fault in _class_faults(group))
        for annotation in hints_of(group).values():
            waiting.extend(each for each in parts_of(annotation) if is_group(each))
    if found:
        raise ConfigurationError(
            "\n".join([f"{model.__name__} cannot hold settings:", *(f"  {fault}" for fault in found)]),
            code="settings_model_unsound",
        )


def hints_of(group: Any) -> dict[str, Any]:
    """The declared type of each field."""
    if issubclass(group, BaseModel):
        return {name: field.annotation for name, field in group.__pydantic_fields__.items()}
    hints = typing.get_type_hints(group, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(group)}


def parts_of(annotation: Any, seen: tuple[Any, ...] = ()) -> Iterator[Any]:
    """The type and every type inside it."""
    if annotation in seen:
        return
    if hasattr(annotation, "__value__"):
        yield from parts_of(annotation.__value__, (*seen, annotation))
        return
    if hasattr(annotation, "__supertype__"):
        yield from parts_of(annotation.__supertype__, seen)
        return
    yield annotation
    for each in typing.get_args(annotation):
        yield from parts_of(each, seen)


def _class_faults(group: Any) -> Iterator[str]:
    if not issubclass(group, BaseModel):
        if not group.__dataclass_params__.frozen:
            yield " is not frozen: declare it with @dataclass(frozen=True)"
        rewritten = False
    else:
        from orchestrator_config._model import Settings  # noqa: PLC0415 - that module loads this one

        rewritten = issubclass(group, Settings)
        if issubclass(group, RootModel):
            yield " is a RootModel: declare its content as the field itself"
        if not group.model_config.get("frozen"):
            yield " is not frozen: derive it from Settings, or give it model_config = ConfigDict(frozen=True)"
        if rewritten and group.model_config.get("extra") != "forbid":
            yield " must keep extra='forbid', or misspelt settings go unnoticed"
        yield from (f".{n} has an alias: settings go by the name of the field" for n in _aliased(group))
    names: dict[str, str] = {}
    for name, annotation in hints_of(group).items():
        if not _field_name.match(name):
            yield f".{name} cannot be told from nested settings: use letters, digits and single underscores between them"
        if (other := names.setdefault(name.upper(), name)) != name:
            yield f".{name} and .{other} would be one environment variable"
        for part in parts_of(annotation):
            yield from (f".{name} {fault}" for fault in _type_faults(part, rewritten=rewritten))


def _aliased(group: Any) -> Iterator[str]:
    for name, field in group.__pydantic_fields__.items():
        if field.alias or field.validation_alias or field.serialization_alias:
            yield name


def _type_faults(part: Any, *, rewritten: bool) -> Iterator[str]:
    bare: Any = typing.get_origin(part) or part
    if hasattr(bare, "__value__"):
        yield "is a generic type alias: write the type out"
    if not isinstance(bare, type):
        return
    if hasattr(bare, "__total__") or _is_named_tuple(bare):
        yield f"is {bare.__name__}: declare a Settings model instead"
    elif issubclass(bare, SECRETS) and any(_is_container(each) for each in typing.get_args(part)):
        yield "is a secret that can be changed: declare the container around the secrets"
    elif not rewritten and (bare in SETS or (bare in ARRAYS and issubclass(bare, _mutable))):
        yield f"is a {bare.__name__}, which can be changed: declare a tuple or a frozenset, or derive the model from Settings"
    elif issubclass(bare, _mutable) and bare not in ARRAYS | SETS | TABLES:
        yield f"is a {bare.__name__}, which can be changed: declare a tuple, a frozenset, a mapping or bytes"


def _is_named_tuple(kind: Any) -> bool:
    return hasattr(kind, "_fields") and issubclass(kind, tuple)


def _is_container(annotation: Any) -> bool:
    bare = typing.get_origin(annotation) or annotation
    return is_group(bare) or bare in ARRAYS | SETS | TABLES
