"""The base class of all settings models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import core_schema

from orchestrator_config._frozen import freeze_members
from orchestrator_config._types import immutable

__all__ = ["Settings"]


class Settings(BaseModel):
    """A group of settings that cannot be changed and does not give its secrets away.

    - Immutable in depth: a field declared as a list holds a tuple, a set a frozenset, a mapping a dictionary that refuses
      changes. Declare `tuple[str, ...]`, `frozenset[str]` and `Mapping[str, X]`, and the type checker knows it too.
    - An unknown key is refused, and defaults are validated like any other value.
    - The errors of pydantic hold no input, however they are rendered: `str()`, `errors()` and `json()`.
    - Pickling is refused, since it would write the secrets out.

    Declare what is secret as `SecretStr`, `SecretBytes` or `Secret[...]`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True, defer_build=True
    )

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler, /
    ) -> core_schema.CoreSchema:
        for field in source.__pydantic_fields__.values():
            field.annotation = immutable(field.annotation)
        return core_schema.no_info_wrap_validator_function(_guard(source), handler(source))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; `update` is validated like a new model, not taken on trust.

        Raises:
            pydantic.ValidationError: The updated model would not be valid.
        """
        if not update:
            return super().model_copy(deep=deep)
        return type(self).model_validate({**{name: getattr(self, name) for name in self.model_fields_set}, **update})

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        from orchestrator_config._display import Shown  # noqa: PLC0415 - only when shown

        return [(name, Shown(value)) for name, value in super().__repr_args__()]

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} may hold secrets and is not pickled: load the settings again instead")

    if not TYPE_CHECKING:
        # pydantic's own refusal carries the new value, and lets private names through.
        def __setattr__(self, name: str, value: object) -> NoReturn:
            raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set")

        def __delattr__(self, name: str) -> NoReturn:
            raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")


def _guard(model: type[BaseModel]) -> Callable[[Any, core_schema.ValidatorFunctionWrapHandler], Any]:
    def settings(data: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
        try:
            made = validate(data)
        except ValidationError as error:
            failure = error
        else:
            freeze_members(made)
            return made
        # Raised outside of the handler, so that the original is not attached as its context.
        raise _cleaned(failure, data, model)

    return settings


def _cleaned(failure: ValidationError, data: object, model: type[BaseModel]) -> ValidationError:
    from orchestrator_config._guard import cleaned  # noqa: PLC0415 - only when something is wrong
    from orchestrator_config._shape import group_shape  # noqa: PLC0415

    return cleaned(failure, data, group_shape(model))
