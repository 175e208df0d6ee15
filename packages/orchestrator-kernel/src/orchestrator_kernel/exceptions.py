"""The one hierarchy of errors.

Every error of every package is an `OrchestratorError` of one of eleven kinds. An error carries what a caller needs to react
to it (`code`, `details`, `retryable`, `retry_after`) and a hint for the answer over HTTP (`status`), so that no layer above
has to look at the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "CacheError",
    "CircuitBreakerOpenError",
    "ComplianceError",
    "ConfigurationError",
    "DatabaseError",
    "Detail",
    "ExternalServiceError",
    "OrchestratorError",
    "RateLimitError",
    "SecurityError",
    "ValidationError",
]

_Scalar = str | int | float | bool | None
Detail = _Scalar | Sequence[_Scalar]


class OrchestratorError(Exception):
    """Something went wrong that the caller can be told about.

    Args:
        message: What was wrong, where, and what to do. May be shown to the client, so it holds nothing secret or personal.
        code: A stable machine-readable name; each kind has a default.
        details: Flat facts about the error. Shown to the client, so nothing secret or personal.
        retryable: Whether the same call may succeed later; each kind has a default.
        retry_after: Seconds after which a retry makes sense, if known.
        status: The HTTP status that fits; each kind has a default.
    """

    default_code: ClassVar[str] = "internal_error"
    default_status: ClassVar[int] = 500
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Mapping[str, Detail] | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code
        self.details: Mapping[str, Detail] = MappingProxyType(dict(details or {}))
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.status = self.default_status if status is None else status

    def __reduce__(self) -> tuple[object, ...]:
        # MappingProxyType does not pickle, and keyword arguments are not in Exception.args.
        return _rebuild, (
            type(self),
            self.message,
            self.code,
            dict(self.details),
            self.retryable,
            self.retry_after,
            self.status,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, code={self.code!r})"


def _rebuild(
    kind: type[OrchestratorError],
    message: str,
    code: str,
    details: dict[str, Detail],
    retryable: bool,  # noqa: FBT001 - called by pickle
    retry_after: float | None,
    status: int,
) -> OrchestratorError:
    error = kind.__new__(kind)
    OrchestratorError.__init__(
        error, message, code=code, details=details, retryable=retryable, retry_after=retry_after, status=status
    )
    return error


class ConfigurationError(OrchestratorError):
    """A setting is missing, unknown or contradicts another."""

    default_code = "configuration_error"


class AuthenticationError(OrchestratorError):
    """Nobody, or nobody we know, stands behind the request."""

    default_code = "authentication_failed"
    default_status = 401


class AuthorizationError(OrchestratorError):
    """The principal is known and may not do this."""

    default_code = "forbidden"
    default_status = 403


class ValidationError(OrchestratorError):
    """The input does not have the form that was asked for."""

    default_code = "validation_failed"
    default_status = 422


class RateLimitError(OrchestratorError):
    """Too many requests, or no room for one more; try again later."""

    default_code = "rate_limited"
    default_status = 429
    default_retryable = True


class CircuitBreakerOpenError(OrchestratorError):
    """A dependency failed too often and is not asked for now."""

    default_code = "circuit_open"
    default_status = 503
    default_retryable = True


class ExternalServiceError(OrchestratorError):
    """A service that we depend on failed or answered nonsense."""

    default_code = "external_service_failed"
    default_status = 502
    default_retryable = True


class DatabaseError(OrchestratorError):
    """The database cannot be reached, or refused the statement."""

    default_code = "database_failed"
    default_status = 503
    default_retryable = True


class CacheError(OrchestratorError):
    """A cache cannot be reached, or refused the value."""

    default_code = "cache_failed"
    default_status = 503
    default_retryable = True


class ComplianceError(OrchestratorError):
    """A law or a policy forbids this."""

    default_code = "compliance_violation"
    default_status = 403


class SecurityError(OrchestratorError):
    """The input looks like an attack or breaks a security rule."""

    default_code = "security_violation"
    default_status = 400
