"""The template of a request's route, `/calls/{call_id}`: what is asked for, without who."""

from __future__ import annotations

from typing import Any

from orchestrator_monitoring._asgi import Scope

__all__ = ["UNMATCHED", "RouteTemplates"]

UNMATCHED = "unmatched"
"""The route of a request that no route was found for."""


class RouteTemplates:
    """Reads the route that Starlette or FastAPI has chosen, once it has; prefixes of included routers and of mounts are part of it."""

    def __init__(self) -> None:
        # With the object that the id is of, so that no other object can get the id.
        self._known: dict[int, tuple[object, str]] = {}

    def of(self, scope: Scope) -> str:
        """The template, or `unmatched`."""
        route = scope.get("route")
        if route is None:
            return UNMATCHED
        # FastAPI knows the prefixes of included routers here, and its route does not.
        chosen = scope["fastapi"].get("effective_route_context") if "fastapi" in scope else None
        if chosen is None or chosen.original_route is not route:
            chosen = route
        known = self._known.get(id(chosen))
        if known is None:
            known = self._known[id(chosen)] = (chosen, _path_of(chosen))
        return known[1] if "app_root_path" not in scope else _mounted(scope, route, known[1])


def _path_of(route: object) -> str:
    for each in (getattr(route, "starlette_route", None), route):
        path = getattr(each, "path_format", None) or getattr(each, "path", None)
        if isinstance(path, str) and path:
            return path
    return UNMATCHED


def _mounted(scope: Scope, route: object, path: str) -> str:
    """Below a mount a route knows only its own part; a mount itself stands in the root path already."""
    told = scope["root_path"][len(scope["app_root_path"]) :] + "/"
    parameters: dict[str, Any] = scope.get("path_params", {})
    for name, value in parameters.items():
        before, is_there, after = told.rpartition(f"/{value}/")
        if is_there:
            told = f"{before}/{{{name}}}/{after}"
    return f"{told}{{path}}" if hasattr(route, "routes") else told[:-1] + path
