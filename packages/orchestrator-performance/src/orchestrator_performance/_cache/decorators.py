"""`@cached`: a function whose results are kept, async or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from functools import partial, update_wrapper
from inspect import iscoroutinefunction
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._cache.cache import Cache
from orchestrator_performance._cache.keys import key_of_call
from orchestrator_performance._cache.memory_cache import MemoryCache

__all__ = ["CachedCoroutine", "CachedFunction", "cached"]

P = ParamSpec("P")
R = TypeVar("R")


class CachedCoroutine(Generic[P, R]):
    """An async function with a cache; `remove` forgets the result of a call."""

    def __init__(
        self,
        cache: Cache[R],
        function: Callable[P, Coroutine[Any, Any, R]],
        key: Callable[P, Hashable],
        ttl: float | None,
        tags: Callable[P, Sequence[str]] | None,
    ) -> None:
        self._cache, self._function, self._key, self._ttl, self._tags = cache, function, key, ttl, tags
        self._name = f"{function.__module__}.{function.__qualname__}"
        update_wrapper(cast("Callable[..., Any]", self), function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        """The function's result; loaded, joined or kept."""
        tags = tuple(self._tags(*args, **kwargs)) if self._tags is not None else ()
        return self._cache.get_or_load(
            (self._name, self._key(*args, **kwargs)), partial(self._function, *args, **kwargs), ttl=self._ttl, tags=tags
        )

    async def remove(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result of this call, in all processes; see `Cache.remove`."""
        return await self._cache.remove((self._name, self._key(*args, **kwargs)))


class CachedFunction(Generic[P, R]):
    """A function with a cache; `remove` forgets the result of a call."""

    def __init__(
        self,
        cache: MemoryCache[R],
        function: Callable[P, R],
        key: Callable[P, Hashable],
        ttl: float | None,
        tags: Callable[P, Sequence[str]] | None,
    ) -> None:
        self._cache, self._function, self._key, self._ttl, self._tags = cache, function, key, ttl, tags
        self._name = f"{function.__module__}.{function.__qualname__}"
        update_wrapper(cast("Callable[..., Any]", self), function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result; loaded, joined or kept."""
        tags = tuple(self._tags(*args, **kwargs)) if self._tags is not None else ()
        return self._cache.get_or_load(
            (self._name, self._key(*args, **kwargs)), partial(self._function, *args, **kwargs), ttl=self._ttl, tags=tags
        )

    def remove(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Forget the result of this call."""
        self._cache.remove((self._name, self._key(*args, **kwargs)))


class _Decorator(Generic[R]):
    """What `cached` returns; takes the kind of function that the cache is for."""

    def __init__(self, cache: Any, key: Any, ttl: float | None, tags: Any, ignore: Sequence[str]) -> None:
        self._cache, self._given, self._ttl, self._tags, self._ignore = cache, key, ttl, tags, ignore

    def __call__(self, function: Callable[..., Any]) -> Any:
        key = self._given if self._given is not None else key_of_call(function, self._ignore)
        if isinstance(self._cache, Cache):
            if not iscoroutinefunction(function):
                raise ConfigurationError(f"{function.__qualname__} is not async: give it a MemoryCache")
            return CachedCoroutine(cast("Cache[Any]", self._cache), function, key, self._ttl, self._tags)
        if iscoroutinefunction(function):
            raise ConfigurationError(f"{function.__qualname__} is async: give it a Cache")
        return CachedFunction(cast("MemoryCache[Any]", self._cache), function, key, self._ttl, self._tags)


@overload
def cached(
    cache: Cache[R],
    *,
    key: Callable[P, Hashable] | None = None,
    ttl: float | None = None,
    tags: Callable[P, Sequence[str]] | None = None,
    ignore: Sequence[str] = (),
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], CachedCoroutine[P, R]]: ...
@overload
def cached(
    cache: MemoryCache[R],
    *,
    key: Callable[P, Hashable] | None = None,
    ttl: float | None = None,
    tags: Callable[P, Sequence[str]] | None = None,
    ignore: Sequence[str] = (),
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]: ...
def cached(
    cache: Any, *, key: Any = None, ttl: float | None = None, tags: Any = None, ignore: Sequence[str] = ()
) -> Any:
    """Keep the results of a function: of an async one in a `Cache`, of another in a `MemoryCache`.

    Args:
        cache: Where; several functions may share one.
        key: Makes the key of a call; by default all arguments with their types, however they are passed.
        ttl: How long a result is fresh; the cache's own when None.
        tags: The tags of a call's result.
        ignore: Parameters that the result does not depend on, such as a client, or `self`.

    Raises:
        ConfigurationError: The function is of the other kind, or `ignore` names no parameter of it.
    """
    return _Decorator(cache, key, ttl, tags, ignore)
