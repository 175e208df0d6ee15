"""What forms a value may take at each place of a model: the map that every other module reads.

A `Shape` is the union of the forms that an annotation allows: one of several models, a table with free keys, an array, scalars.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, PlainValidator, WrapValidator
from pydantic_core import PydanticUndefined

from orchestrator_config._paths import SettingPath
from orchestrator_config._types import ARRAYS, SECRETS, SETS, TABLES, UNIONS, mentions
from orchestrator_config._walk import is_group

Scalar: TypeAlias = Literal["bool", "int", "float", "none", "text", "raw", "any"]
"""`text` is every type that pydantic reads from a string, `raw` what a validator of the model reads first, `any` no type."""

MISSING: Final = object()

_exact: Final[dict[object, Scalar]] = {bool: "bool", int: "int", float: "float", type(None): "none", None: "none"}
_reads_first: Final = (BeforeValidator, PlainValidator, WrapValidator)


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A named place in a model. `default` is `MISSING` when there is none, or none that can be known beforehand."""

    name: str
    shape: Shape
    required: bool
    default: object = dataclasses.field(default=MISSING, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """The forms that a value may take.

    Attributes:
        groups: The models or dataclasses it may be.
        table: The shape of the values, if it may be a mapping with free keys.
        array: The shape of the elements, if it may be an array.
        scalars: The kinds of single values it may be.
        secret: Whether a single value is a secret.
        options: How many members the union has besides None; pydantic names the member in its errors from two on.
    """

    groups: tuple[type, ...] = ()
    table: Shape | None = None
    array: Shape | None = None
    scalars: frozenset[Scalar] = frozenset()
    secret: bool = False
    options: int = 1
    _fields: dict[str, Field] = dataclasses.field(
        default_factory=dict[str, Field], init=False, repr=False, compare=False
    )

    def __or__(self, other: Shape) -> Shape:
        return Shape(
            (*self.groups, *(group for group in other.groups if group not in self.groups)),
            _either(self.table, other.table),
            _either(self.array, other.array),
            self.scalars | other.scalars,
            self.secret or other.secret,
            self.options + other.options,
        )

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of all the models it may be, by name."""
        if self.groups and not self._fields:
            for group in self.groups:
                for field in _fields_of(group):
                    known = self._fields.get(field.name)
                    both = field if known is None else Field(field.name, known.shape | field.shape, required=False)
                    self._fields[field.name] = both
        return self._fields

    @property
    def plain_group(self) -> bool:
        """Whether nothing but one certain model fits."""
        return len(self.groups) == 1 and not (self.table or self.array or self.scalars - {"raw"})

    def below(self, key: str) -> Shape | None:
        """The shape of the member of this name; None when there can be none."""
        field = self.fields.get(key)
        return self.table if field is None else field.shape


def _either(one: Shape | None, other: Shape | None) -> Shape | None:
    if one is None or other is None:
        return one or other
    return one | other


def shape_of(annotation: Any, seen: tuple[Any, ...] = ()) -> Shape:  # noqa: PLR0911 - one for each form
    """The shape of a declared type."""
    if annotation in seen or isinstance(annotation, (str, typing.ForwardRef)):
        return Shape(scalars=frozenset({"any"}))
    if hasattr(annotation, "__value__") and not mentions(annotation.__value__, annotation):
        return shape_of(annotation.__value__, (*seen, annotation))
    if hasattr(annotation, "__supertype__"):
        return shape_of(annotation.__supertype__, seen)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _read_first(shape_of(arguments[0], seen), annotation.__metadata__)
    if origin is Literal:
        return Shape(scalars=_kinds(arguments))
    if origin in UNIONS:
        return _union(arguments, seen)
    return _plain_shape(origin or annotation, arguments, seen)


def _plain_shape(bare: Any, arguments: tuple[Any, ...], seen: tuple[Any, ...]) -> Shape:  # noqa: PLR0911 - one for each form
    if bare in ARRAYS or bare in SETS or bare in {tuple, frozenset}:
        elements = [each for each in arguments if each is not Ellipsis and each != ()] or [Any]
        options = max(shape_of(each, seen).options for each in elements)
        return Shape(array=dataclasses.replace(_union(elements, seen), options=options))
    if bare in TABLES:
        return Shape(table=shape_of(arguments[1] if len(arguments) == 2 else Any, seen))
    if bare in {Any, object} or isinstance(bare, typing.TypeVar) or hasattr(bare, "__value__"):
        return Shape(scalars=frozenset({"any"}))
    if bare in _exact:
        return Shape(scalars=frozenset({_exact[bare]}), options=0 if _exact[bare] == "none" else 1)
    if not isinstance(bare, type):
        return Shape(scalars=frozenset({"text"}))
    if issubclass(bare, SECRETS):
        return Shape(scalars=frozenset({"text"}), secret=True)
    if issubclass(bare, enum.Enum):
        return Shape(scalars=_kinds(member.value for member in bare))
    if is_group(bare):
        return group_shape(bare)
    return Shape(scalars=frozenset({"text"}))


def group_shape(group: Any) -> Shape:
    """The shape of a model or dataclass. A model with a validator that reads first takes whatever that takes."""
    shape = Shape(groups=(group,))
    if issubclass(group, BaseModel) and group.model_config.get("extra") == "forbid":
        validators = group.__pydantic_decorators__.model_validators.values()
        if any(each.info.mode != "after" for each in validators):
            return dataclasses.replace(shape, scalars=frozenset({"raw"}))
    return shape


def _union(annotations: Iterable[Any], seen: tuple[Any, ...]) -> Shape:
    shapes = [shape_of(each, seen) for each in annotations]
    whole = shapes[0]
    for shape in shapes[1:]:
        whole |= shape
    return whole


def _kinds(values: Iterable[object]) -> frozenset[Scalar]:
    return frozenset(_exact.get(type(value), "text") for value in values)


def _read_first(shape: Shape, metadata: Iterable[object]) -> Shape:
    if any(isinstance(each, _reads_first) for each in metadata):
        return dataclasses.replace(shape, scalars=shape.scalars | {"raw"})
    return shape


def _fields_of(group: type) -> Iterator[Field]:
    if not issubclass(group, BaseModel):
        yield from _dataclass_fields(group)
        return
    validators = group.__pydantic_decorators__.field_validators.values()
    first = {name for each in validators if each.info.mode != "after" for name in each.info.fields}
    for name, info in group.__pydantic_fields__.items():
        shape = _read_first(shape_of(info.annotation), info.metadata)
        if name in first or "*" in first:
            shape = dataclasses.replace(shape, scalars=shape.scalars | {"raw"})
        default = MISSING if info.default is PydanticUndefined else info.default
        if info.default_factory is not None and (shape.groups or shape.table):
            default = (
                MISSING if info.default_factory_takes_validated_data else info.get_default(call_default_factory=True)
            )
        yield Field(name, shape, info.is_required(), default)


def _dataclass_fields(group: Any) -> Iterator[Field]:
    hints = typing.get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        if field.init:
            default: object = MISSING
            if field.default is not dataclasses.MISSING:
                default = field.default
            elif field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            yield Field(field.name, shape_of(hints[field.name]), default is MISSING, default)


def static_paths(shape: Shape, path: SettingPath = (), above: tuple[type, ...] = ()) -> Iterator[SettingPath]:
    """The path of every field, groups included; a model inside itself is not followed again."""
    chain = (*above, *shape.groups)
    for name, field in shape.fields.items():
        yield (*path, name)
        if not set(field.shape.groups) & set(chain):
            yield from static_paths(field.shape, (*path, name), chain)


def locate(loc: tuple[int | str, ...], root: Shape) -> tuple[SettingPath, Shape]:
    """The path for a location of pydantic's, and the shape that holds its last step.

    pydantic puts the names of union members and of validators between the steps; those are no part of the path.
    """
    path: SettingPath = ()
    parent = shape = root
    labelled = False
    for step in loc:
        below = shape.array if isinstance(step, int) else shape.below(step)
        if isinstance(step, str) and shape.options > 1 and not labelled:
            labelled = True
            continue
        if below is None:
            # The last step of all may be an unknown key; anything else is a label.
            return ((*path, step), shape) if step == loc[-1] and shape.groups else (path, parent)
        path, parent, shape, labelled = (*path, step), shape, below, False
    return path, parent
