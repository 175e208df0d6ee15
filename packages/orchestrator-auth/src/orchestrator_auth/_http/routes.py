"""Which routes of an application declare what they need; knows FastAPI and Starlette without importing them."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from orchestrator_auth._http.credentials import Scope, path_of
from orchestrator_auth.guard import Proof, Rule

GUARD_MARK: Final = "__orchestrator_auth_rule__"
"""An attribute of the dependencies that declare a rule, or another proof."""


class OpenPaths:
    """Where no credential of ours is asked for: the paths that are public, and the routes that have another proof.

    Args:
        public: Paths, compared as they are.
    """

    def __init__(self, public: Collection[str]) -> None:
        self.public = frozenset(public)
        self._proved: dict[str, list[re.Pattern[str]]] | None = None

    def __contains__(self, scope: Scope) -> bool:
        path = path_of(scope)
        if path in self.public and scope["type"] == "http":
            return True
        if self._proved is None:
            self._proved = _proved_elsewhere(scope.get("app"))
        return any(pattern.match(path) for pattern in self._proved[scope["type"]])


def _proved_elsewhere(app: object) -> dict[str, list[re.Pattern[str]]]:
    """The paths of the routes that have another proof, for each type of connection."""
    found: dict[str, list[re.Pattern[str]]] = {"http": [], "websocket": []}
    for route, path in _walk(getattr(app, "routes", None) or (), ""):
        if isinstance(declared(getattr(route, "dependant", None)), Proof):
            kind = "websocket" if _is_socket(route) else "http"
            found[kind].append(path_pattern(path))
    return found


def path_pattern(template: str) -> re.Pattern[str]:
    """What the template of a route, `/v1/calls/{call_id}`, matches: as the framework compiles it."""
    compiled: re.Pattern[str] = sys.modules["starlette.routing"].compile_path(template)[0]
    return compiled


def declarations(app: object) -> Iterator[tuple[str, frozenset[str], Rule | Proof | None]]:
    """Path, methods (none for a WebSocket) and declaration of every route of an application."""
    for route, path in _walk(getattr(app, "routes", None) or (), ""):
        yield path, frozenset(getattr(route, "methods", None) or ()), declared(getattr(route, "dependant", None))


def covering(path: str, rules: Collection[str]) -> str | None:
    """The rule of the middleware that a path is under: its own, or the nearest `/above/*`; None for none."""
    if path in rules:
        return path
    parts = path.split("/")
    prefixes = ("/".join(parts[:length]) + "/*" for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in rules), None)


def undeclared_routes(app: object, public: Collection[str], rules: Collection[str]) -> list[str]:
    """`METHOD path` of every route that is neither public, nor under a rule of the middleware, nor guarded by a dependency of its own."""
    routes: Any = getattr(app, "routes", None)
    if routes is None:
        return []
    found = [
        f"{'/'.join(sorted(getattr(route, 'methods', None) or ['*']))} {path}"
        for route, path in _walk(routes, "")
        if (path not in public or _is_socket(route))
        and covering(path, rules) is None
        and declared(getattr(route, "dependant", None)) is None
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


def _is_socket(route: Any) -> bool:
    kind = getattr(sys.modules.get("starlette.routing"), "WebSocketRoute", ())
    return isinstance(getattr(route, "original_route", route), kind)


def declared(dependant: Any) -> Rule | Proof | None:
    """What one of the dependencies, or of theirs, declares."""
    if dependant is None:
        return None
    mark: Rule | Proof | None = getattr(dependant.call, GUARD_MARK, None)
    if mark is not None:
        return mark
    return next((found for each in dependant.dependencies if (found := declared(each)) is not None), None)
