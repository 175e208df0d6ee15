"""What the OpenAPI document says that a route may refuse (extra `[fastapi]`)."""

from __future__ import annotations

from typing import Any, Protocol

from orchestrator_auth.exceptions import (
    AccessDenied,
    AuthStoreFailed,
    CredentialRefused,
    KeyLimitReached,
    SecondFactorRequired,
    TokenRefused,
)
from orchestrator_kernel.exceptions import OrchestratorError

Responses = dict[int | str, dict[str, Any]]

_GUARD = (CredentialRefused, TokenRefused, AccessDenied, SecondFactorRequired, KeyLimitReached)


class Documents(Protocol):
    """Makes the `responses` of a route from the errors that it raises; an application that answers all errors alike brings its own."""

    def __call__(self, *kinds: type[OrchestratorError], public: bool, body: bool) -> Responses:
        """The responses.

        Args:
            kinds: What the route itself raises; what the gate and the store raise comes besides.
            public: Whether no credential is asked for.
            body: Whether a body is sent.
        """
        ...


def by_status(*kinds: type[OrchestratorError], public: bool, body: bool) -> Responses:  # noqa: ARG001 - FastAPI tells of bodies itself
    """Statuses with the codes of their problem documents."""
    codes: dict[int | str, list[str]] = {}
    for kind in (*kinds, *(() if public else _GUARD), AuthStoreFailed):
        found = codes.setdefault(kind.default_status, [])
        if kind.default_code not in found:
            found.append(kind.default_code)
    content = {"application/problem+json": {"schema": {"type": "object"}}}
    return {
        status: {"description": f"Problem: {', '.join(named)}", "content": content} for status, named in codes.items()
    }
