"""A typed registry of what a service is made of.

What the user types: `registry.provide(Journal, journal)` where things are composed, `registry.get(Journal)` where they are needed; under
FastAPI, `journal: Annotated[Journal, Depends(provider(Journal))]`. Nothing is created here and nothing is global: the registry is
filled by the composition and hangs on the application.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from orchestrator_kernel.exceptions import ConfigurationError

if TYPE_CHECKING:
    from fastapi.requests import HTTPConnection

__all__ = ["Registry", "provider"]

T = TypeVar("T")


class Registry:
    """Instances by their type, or by the protocol they stand for."""

    def __init__(self) -> None:
        self._instances: dict[type[object], object] = {}

    def provide(self, kind: type[T], instance: T) -> T:
        """Register `instance` under `kind` and return it.

        Raises:
            ConfigurationError: The kind is taken.
        """
        if kind in self._instances:
            raise ConfigurationError(f"{kind.__name__} is provided twice")
        self._instances[kind] = instance
        return instance

    def get(self, kind: type[T]) -> T:
        """The instance of `kind`.

        Raises:
            ConfigurationError: Nothing was provided; the message names what there is.
        """
        try:
            return cast("T", self._instances[kind])
        except KeyError:
            known = ", ".join(sorted(each.__name__ for each in self._instances)) or "nothing"
            raise ConfigurationError(f"{kind.__name__} is not provided; there is {known}") from None

    def __contains__(self, kind: type[object]) -> bool:
        return kind in self._instances


def provider(kind: type[T]) -> Callable[[HTTPConnection], T]:
    """A FastAPI dependency that reads `kind` from `app.state.registry`; works for HTTP and WebSocket routes.

    Needs the extra `[fastapi]`.
    """
    from fastapi.requests import HTTPConnection  # noqa: PLC0415 - only with the extra

    def resolve(connection: HTTPConnection) -> T:
        registry = cast("Registry", connection.app.state.registry)
        return registry.get(kind)

    # FastAPI reads the annotation at run time, where postponed names of this function's scope cannot be resolved.
    resolve.__annotations__ = {"connection": HTTPConnection}
    return resolve
