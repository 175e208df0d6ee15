"""What this package raises: every refusal is one of these, whatever the bytes were.

The message says what to do and is the same for every cause; `reason` says which check refused. It is for the audit and the log, never for
the client: whoever guesses learns nothing.
"""

from __future__ import annotations

from orchestrator_kernel.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    DatabaseError,
    Detail,
    ExternalServiceError,
    OrchestratorError,
    RateLimitError,
    ValidationError,
)

__all__ = [
    "AccessDenied",
    "AuthStoreFailed",
    "CredentialRefused",
    "IdentityProviderFailed",
    "KeyLimitReached",
    "LoginRefused",
    "PolicyInvalid",
    "SecondFactorRequired",
    "TokenRefused",
    "WeakPassword",
]


class _Refusal(OrchestratorError):
    """A refusal that keeps its reason to itself."""

    _message = ""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(self._message, retry_after=retry_after)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.reason, self.retry_after)


def _again(kind: type[_Refusal], reason: str, retry_after: float | None) -> _Refusal:
    return kind(reason, retry_after=retry_after)


class CredentialRefused(_Refusal, AuthenticationError):
    """No credential, or one that proves nobody; the base of all refusals with 401."""

    default_code = "authentication_failed"
    _message = "Sign in, or send a valid credential."


class TokenRefused(CredentialRefused):
    """The token proves nobody: malformed, forged, expired, revoked, or meant for something else."""

    default_code = "invalid_token"
    _message = "Not accepted here, or not any more: sign in again, or refresh your session."


class LoginRefused(CredentialRefused):
    """The same answer for a wrong name, a wrong password, a wrong code, and an account that is locked."""

    default_code = "login_failed"
    _message = "That combination does not sign in. Check it, or wait a while before you try again."


class AccessDenied(_Refusal, AuthorizationError):
    """The principal is known and may not do this here."""

    _message = "You may not do this. Ask an administrator of the tenant for the permission."


class SecondFactorRequired(_Refusal, AuthorizationError):
    """Allowed once the second factor was shown recently."""

    default_code = "second_factor_required"
    _message = "Confirm your second factor, then try again."


class KeyLimitReached(_Refusal, RateLimitError):
    """An API key has used up one of its limits."""

    _message = "This API key has used up its limit; wait, or ask for a higher one."


class WeakPassword(ValidationError):
    """The new password is too short, too long, or easily guessed."""

    default_code = "weak_password"


class PolicyInvalid(ConfigurationError):
    """The policy contradicts itself or does not have the form asked for; the message names the place."""

    default_code = "policy_invalid"

    def __init__(self, message: str, *, details: dict[str, Detail] | None = None) -> None:
        super().__init__(message, details=details)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message,)


class AuthStoreFailed(DatabaseError):
    """The place where users, sessions, keys or revocations are kept does not answer; nobody is let in meanwhile."""

    default_code = "auth_store_failed"


class IdentityProviderFailed(ExternalServiceError):
    """The authority that publishes keys or answers about tokens cannot be reached, or answers nonsense."""

    default_code = "identity_provider_failed"
