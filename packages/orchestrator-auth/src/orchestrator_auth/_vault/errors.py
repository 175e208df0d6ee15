"""What can go wrong with Vault, each as a kind of its own. No message holds a secret, a token, or what Vault said about a value."""

from __future__ import annotations

from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError, Detail, ExternalServiceError


class VaultFailed(ExternalServiceError):
    """Vault could not do it."""

    default_code = "vault_failed"


class VaultUnavailable(VaultFailed):
    """Vault cannot be reached, does not answer in time, or has an error of its own."""

    default_code = "vault_unavailable"
    default_status = 503


class VaultSealed(VaultUnavailable):
    """Vault is sealed, or was never initialized: somebody has to unseal it."""

    default_code = "vault_sealed"


class VaultStandby(VaultUnavailable):
    """This server is a standby that does not forward."""

    default_code = "vault_standby"


class VaultRateLimited(VaultFailed):
    """A quota of Vault's is used up."""

    default_code = "vault_rate_limited"
    default_status = 503


class VaultRefused(VaultFailed):
    """Vault calls the request wrong; asking again does not help."""

    default_code = "vault_refused"
    default_retryable = False


class VaultDenied(VaultRefused):
    """The token is over, or its policy does not allow this."""

    default_code = "vault_denied"


class VaultNotFound(VaultRefused):
    """There is nothing at this path: no secret, no key, no engine."""

    default_code = "vault_not_found"


class VaultConflict(VaultRefused):
    """Somebody else changed the secret first (check-and-set)."""

    default_code = "vault_conflict"
    default_status = 409


class VaultMisconfigured(ConfigurationError):
    """A path, a name or a login that cannot be right."""

    default_code = "vault_misconfigured"


_BY_STATUS: Final[dict[int, type[VaultFailed]]] = {
    400: VaultRefused,
    403: VaultDenied,
    404: VaultNotFound,
    405: VaultRefused,
    412: VaultUnavailable,
    429: VaultRateLimited,
    472: VaultStandby,
    473: VaultStandby,
    503: VaultSealed,
}


def failure(status: int, errors: list[str], method: str, path: str, retry_after: float | None) -> VaultFailed:
    """The error for an answer that is none of 2xx.

    `errors` is what Vault said; it decides about the kind and is not passed on, for it may repeat what was sent.
    """
    text = " ".join(errors).lower()
    kind = _BY_STATUS.get(status, VaultUnavailable if status >= 500 else VaultRefused)
    if status == 400 and "check-and-set" in text:
        kind = VaultConflict
    elif status == 400 and ("no handler for route" in text or "not found" in text):
        kind = VaultNotFound
    elif status in {400, 500} and "sealed" in text:
        kind = VaultSealed
    elif status == 503 and "sealed" not in text:
        kind = VaultUnavailable
    message = f"Vault answered {status} to {method} {path}"
    details: dict[str, Detail] = {"service": "vault", "upstream_status": status}
    return kind(message, details=details, retry_after=retry_after)
