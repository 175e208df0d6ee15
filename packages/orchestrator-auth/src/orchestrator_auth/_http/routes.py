"""Which routes of an application declare what they need; knows FastAPI and Starlette without importing them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

GUARD_MARK: Final = "__orchestrator_auth_rule__"
"""An attribute of the dependencies that declare a rule."""


def undeclared_routes(app: object, public: Collection[str], rules: Collection[str]) -> list[str]:
    """`METHOD path` of every route that is neither public, nor under a rule of the middleware, nor guarded by a dependency of its own."""
    routes: Any = getattr(app, "routes", None)
    if routes is None:
        return []
    found = [
        f"{'/'.join(sorted(getattr(route, 'methods', None) or ['*']))} {path}"
        for route, path in _walk(routes, "")
        if path not in public and not _covered(path, rules) and not _guarded(getattr(route, "dependant", None))
    ]
    return sorted(found)


def _walk(routes: Iterable[Any], prefix: str) -> Iterator[tuple[Any, str]]:
    """Every route with its whole path; routers that FastAPI keeps whole are opened."""
    routing = sys.modules.get("fastapi.routing")
    contexts = getattr(routing, "iter_route_contexts", None)
    for route in contexts(routes) if contexts is not None else routes:
        path = prefix + (getattr(route, "path", None) or "")
        original = getattr(route, "original_route", route)
        inner = getattr(original, "routes", None)
        if inner:
            yield from _walk(inner, path)
        elif _is_mount(original):
            yield original, path + "/"
        else:
            yield route, path


def _is_mount(route: Any) -> bool:
    mount = getattr(sys.modules.get("starlette.routing"), "Mount", ())
    return isinstance(route, mount)


def _covered(path: str, rules: Collection[str]) -> bool:
    if path in rules:
        return True
    parts = path.split("/")
    return any("/".join(parts[:length]) + "/*" in rules for length in range(len(parts), 0, -1))


def _guarded(dependant: Any) -> bool:
    """Whether one of the dependencies, or of theirs, declares a rule."""
    if dependant is None:
        return False
    return hasattr(dependant.call, GUARD_MARK) or any(_guarded(each) for each in dependant.dependencies)
