"""`@cached`: a function whose results are kept, async or not."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Sequence
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, Final, ParamSpec, Protocol, TypeVar, cast, overload

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._cache.cache import Cache
from orchestrator_performance._cache.keys import key_of_call
from orchestrator_performance._cache.memory_cache import MemoryCache

__all__ = ["CachedCoroutine", "CachedFunction", "cached"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class CachedCoroutine(Protocol[P, R_co]):
    """An async function whose results are kept."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """The function's result; loaded, joined or kept."""
        ...

    def remove(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, bool]:
        """Forget the result of this call, in all processes; see `Cache.remove`."""
        ...


class CachedFunction(Protocol[P, R_co]):
    """A function whose results are kept."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The function's result; loaded, joined or kept."""
        ...

    def remove(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Forget the result of this call."""
        ...


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

    def decorate(function: Callable[..., Any]) -> Any:
        name = f"{function.__module__}.{function.__qualname__}"
        make = key if key is not None else key_of_call(function, ignore)
        one = key is None and _takes_one(function, ignore)

        def key_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
            made: Hashable = make(*args, **kwargs)
            # The only argument, if it is a text: `_coroutine` and `_function` know it without asking.
            return name, cast("tuple[str]", made)[0] if one and isinstance(made, tuple) else made

        def tags_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, ...]:
            return tuple(tags(*args, **kwargs)) if tags is not None else ()

        is_async = isinstance(cache, Cache)
        if is_async != iscoroutinefunction(function):
            raise ConfigurationError(
                f"{name} is async: give it a Cache" if not is_async else f"{name} is not async: give it a MemoryCache"
            )
        wrap: Callable[..., Any] = _coroutine if is_async else _function
        return wrap(cache, function, key_of, tags_of, ttl, name if one else None)

    return decorate


def _takes_one(function: Callable[..., Any], ignore: Sequence[str]) -> bool:
    """Whether the function has one plain parameter, so that its key needs no binding."""
    code = getattr(function, "__code__", None)
    if ignore or code is None or getattr(function, "__defaults__", None) or code.co_kwonlyargcount:
        return False
    variable = code.co_flags & 0x0C
    return bool(code.co_argcount == 1 and not variable)


_NONE: Final = object()

_KeyOf = Callable[[tuple[Any, ...], dict[str, Any]], Hashable]
_TagsOf = Callable[[tuple[Any, ...], dict[str, Any]], tuple[str, ...]]


def _all(first: object, rest: tuple[object, ...]) -> tuple[object, ...]:
    return () if first is _NONE else (first, *rest)


# A hit is `get_or_load` written out, for a call more is a sixth of it, and one text, which most functions are called with, is taken as it comes.


def _coroutine(
    cache: Cache[Any],
    function: Callable[..., Any],
    key_of: _KeyOf,
    tags_of: _TagsOf,
    ttl: float | None,
    name: str | None,
) -> Any:
    @wraps(function)
    async def call(first: Any = _NONE, /, *rest: Any, **kwargs: Any) -> Any:
        if type(first) is str and not rest and not kwargs and name is not None:
            key: Hashable = (name, first)
        else:
            key = key_of(_all(first, rest), kwargs)
        entry = cache._table.get(key)  # noqa: SLF001 - as `get_or_load` does
        if entry is not None and cache._now() < entry.calm:  # noqa: SLF001
            entry.hits += 1
            cache._stats.hits += 1  # noqa: SLF001
            return entry.value
        args = _all(first, rest)
        return await cache.get_or_load(key, partial(function, *args, **kwargs), ttl=ttl, tags=tags_of(args, kwargs))

    async def remove(*args: Any, **kwargs: Any) -> bool:
        return await cache.remove(key_of(args, kwargs))

    call.remove = remove  # type: ignore[attr-defined]  # a function has room for one more
    return call


def _function(
    cache: MemoryCache[Any],
    function: Callable[..., Any],
    key_of: _KeyOf,
    tags_of: _TagsOf,
    ttl: float | None,
    name: str | None,
) -> Any:
    @wraps(function)
    def call(first: Any = _NONE, /, *rest: Any, **kwargs: Any) -> Any:
        if type(first) is str and not rest and not kwargs and name is not None:
            key: Hashable = (name, first)
        else:
            key = key_of(_all(first, rest), kwargs)
        entry = cache._table.get(key)  # noqa: SLF001 - as `get_or_load` does
        if entry is not None and cache._now() < entry.calm:  # noqa: SLF001
            entry.hits += 1
            cache._stats.hits += 1  # noqa: SLF001
            return entry.value
        args = _all(first, rest)
        return cache.get_or_load(key, partial(function, *args, **kwargs), ttl=ttl, tags=tags_of(args, kwargs))

    def remove(*args: Any, **kwargs: Any) -> None:
        cache.remove(key_of(args, kwargs))

    call.remove = remove  # type: ignore[attr-defined]  # a function has room for one more
    return call
