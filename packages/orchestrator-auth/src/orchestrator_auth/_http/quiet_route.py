"""A route of FastAPI that never sends back what was sent (extra `[fastapi]`): FastAPI's own answer to a body of a wrong form repeats it, passwords included."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from orchestrator_kernel.exceptions import ValidationError

_MOST_PARTS = 10


class RequestInvalid(ValidationError):
    """Parts of the request do not have the form asked for; the message names them, not what they hold."""


class QuietRoute(APIRoute):
    """Tells where a request is wrong, and nothing of what it holds."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def quietly(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                places = sorted({_place(one["type"], one["loc"]) for one in error.errors()})
                named = ", ".join(places[:_MOST_PARTS])
                raise RequestInvalid(f"These parts of the request do not have the form asked for: {named}.") from None

        return quietly


def _place(kind: str, parts: Sequence[object]) -> str:
    """Where in the request; the name of a field that there is not is the sender's own text, and is not told back."""
    told = (*parts[:-1], "(unknown)") if kind == "extra_forbidden" else parts
    return ".".join(str(part)[:40] for part in told)
