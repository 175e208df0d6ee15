"""The base of request models: what is not described is refused."""

from __future__ import annotations

import functools
from collections import Counter
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any, Final, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.types import StringConstraints

from orchestrator_security._validation.errors import FieldsRefused, JsonRefused
from orchestrator_security._validation.json_limits import (
    JsonLimits,
    keys_at_most,
    may_hold_large_integers,
    parse_json,
    shape_of,
)

__all__ = ["Line", "LongText", "StrictModel", "Text"]

_MAX_STRING: Final = 10_000
_MAX_TOLD: Final = 20
_LIMITS: Final = JsonLimits()
_fields_set = attrgetter("__pydantic_fields_set__")
_NO_SCHEMAS: Final = frozenset({"metadata", "config", "cls", "default", "expected", "serialization", "members"})
_PLAIN_KINDS: Final = frozenset(
    [
        "bool",
        "date",
        "datetime",
        "decimal",
        "default",
        "enum",
        "float",
        "int",
        "list",
        "literal",
        "model",
        "model-field",
        "model-fields",
        "none",
        "nullable",
        "str",
        "time",
        "uuid",
    ]
)

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$")]
"""One line: 1 to 200 characters without control characters."""

Text = Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
"""Text of at most 4,000 characters, with tabs and line breaks but no other control characters."""

LongText = Annotated[str, StringConstraints(max_length=_MAX_STRING)]
"""Text of at most 10,000 characters, whatever they are."""


class StrictModel(BaseModel):
    """Refuses unknown fields, values of another type, infinite numbers and strings over 10,000 characters; frozen.

    Use `parse` on the raw body. Python values (what FastAPI hands to a model) are judged strictly too: there a date must be a
    `date`, while in JSON it is written as a string.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        str_max_length=_MAX_STRING,
        hide_input_in_errors=True,
        validate_default=True,
    )

    @classmethod
    def parse(cls, body: bytes, limits: JsonLimits = _LIMITS) -> Self:
        """The model of a JSON body. A number with an exponent is bounded by its field: finite, or as it says.

        Raises:
            JsonRefused: It is no JSON, has a repeated key, or is beyond a limit.
            FieldsRefused: A field is missing, unknown or not of its form; says which, never what it held.
        """
        try:
            model = cls.model_validate_json(body)
        except ValidationError as error:
            raise _refused(error) from None
        if not (_says_all(cls) and _proven(model, body, limits)):
            parse_json(body, limits)
        return model


@functools.cache
def _schema_kinds(model: type[BaseModel]) -> Counter[str]:
    """How often each kind of pydantic-core's schema stands in the model's, and in those of the models inside."""
    pending: list[object] = [model.__pydantic_core_schema__]
    kinds: Counter[str] = Counter()
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            schema = cast("dict[str, object]", part)
            kind = schema.get("type")
            if isinstance(kind, str):
                kinds[kind] += 1
            if schema.get("root_model") or (kind == "model-fields" and not _one_key_each(schema)):
                kinds["other keys than fields"] += 1
            pending += [each for name, each in schema.items() if name not in _NO_SCHEMAS]
        elif isinstance(part, list | tuple):
            pending += cast("list[object]", part)
    return kinds


def _one_key_each(schema: dict[str, object]) -> bool:
    """Whether every field is filled from a key of its own."""
    fields = cast("dict[str, dict[str, object]]", schema["fields"])
    aliases = [field.get("validation_alias", name) for name, field in fields.items()]
    return all(isinstance(alias, str) for alias in aliases) and len({str(alias) for alias in aliases}) == len(aliases)


@functools.cache
def _says_all(model: type[BaseModel]) -> bool:
    """Whether what the model holds came from the JSON as it stands: no function of its author's made or changed it, and nothing is free-form."""
    return _schema_kinds(model).keys() <= _PLAIN_KINDS


@functools.cache
def _is_leaf(kind: type[BaseModel]) -> bool:
    kinds = _schema_kinds(kind)
    return kinds["model"] == 1 and not kinds["list"]


@functools.cache
def _is_model(kind: type) -> bool:
    return issubclass(kind, BaseModel)


def _proven(model: BaseModel, body: bytes, limits: JsonLimits) -> bool:
    """Whether counts alone show that no key is repeated and no limit exceeded; a model that says all has bounds for the rest."""
    shape = shape_of(body)
    short = limits.string_length >= _MAX_STRING or len(body) <= limits.string_length
    if not short or may_hold_large_integers(shape, limits):
        return False
    keys = depth = 0
    models: list[BaseModel] = [model]
    lists: list[list[Any]] = []
    kinds: set[type[BaseModel]] = {type(model)}
    while models or lists:
        depth += 1
        count, largest = _keys_of(models, kinds)
        keys += count
        if depth > limits.depth or largest > limits.keys:
            return False
        if lists and max(map(len, lists)) > limits.array_length:
            return False
        models, lists, kinds = _within(models, lists, kinds)
    return keys == keys_at_most(shape)


def _keys_of(models: list[BaseModel], kinds: set[type[BaseModel]]) -> tuple[int, int]:
    """The keys of all models, and of the one with the most."""
    fixed = _fixed_size(next(iter(kinds))) if len(kinds) == 1 else None
    if fixed is not None:
        return fixed * len(models), fixed
    sizes = list(map(len, map(_fields_set, models)))
    return sum(sizes), max(sizes, default=0)


@functools.cache
def _fixed_size(kind: type[BaseModel]) -> int | None:
    """The number of keys that every such model has, if all of its fields are required."""
    fields = kind.model_fields.values()
    return len(fields) if all(field.is_required() for field in fields) else None


def _within(
    models: list[BaseModel], lists: list[list[Any]], model_kinds: set[type[BaseModel]]
) -> tuple[list[BaseModel], list[list[Any]], set[type[BaseModel]]]:
    """The models and lists inside; defaults are not from the JSON, so only fields that were set count."""
    values: list[Any] = list(chain.from_iterable(lists))
    branches = {kind for kind in model_kinds if not _is_leaf(kind)}
    if branches:
        parents = [each for each in models if type(each) in branches]
        values += [each.__dict__.get(name) for each in parents for name in each.__pydantic_fields_set__]
    kinds = set(map(type, values))
    inside = {kind for kind in kinds if _is_model(kind)}
    if inside == kinds:
        return values, [], inside
    models = [each for each in values if type(each) in inside] if inside else []
    return models, [each for each in values if type(each) is list] if list in kinds else [], inside


def _refused(error: ValidationError) -> JsonRefused | FieldsRefused:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(each["type"] == "json_invalid" for each in found):
        return JsonRefused("The body is not valid JSON in UTF-8.")
    fields = [f"{'.'.join(str(part)[:64] for part in each['loc'])}: {each['type']}" for each in found[:_MAX_TOLD]]
    count = "One field has" if len(found) == 1 else f"{len(found)} fields have"
    return FieldsRefused(f"{count} not the form asked for.", details={"fields": fields})
