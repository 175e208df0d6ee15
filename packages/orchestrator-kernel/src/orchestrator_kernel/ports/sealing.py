"""Secrets, and personal data at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator_kernel.exceptions import ComplianceError, ConfigurationError, SecurityError

if TYPE_CHECKING:
    from pydantic import SecretStr


class SecretNotFound(ConfigurationError):
    """No secret has this name."""

    default_code = "secret_not_found"


class SecretReader(Protocol):
    """Reads secrets by name."""

    async def read(self, name: str) -> SecretStr:
        """The secret's present value.

        Raises:
            SecretNotFound: Nothing has this name; the message names it, never a value.
        """
        ...


class SealBroken(SecurityError):
    """The sealed bytes were changed, cut, or belong to another scope."""

    default_code = "seal_broken"
    default_status = 500


class Erased(ComplianceError):
    """The subject's key was destroyed: the data is gone for good."""

    default_code = "erased"
    default_status = 410


@dataclass(frozen=True, slots=True)
class SealScope:
    """Whose data it is and what for; sealed bytes open only in the scope they were sealed in.

    Attributes:
        tenant: The tenant's id.
        subject: The pseudonym of the person the data is about; one key per tenant and subject.
        purpose: The kind of record, for example `calls.journal`.
    """

    tenant: str
    subject: str
    purpose: str


class Sealer(Protocol):
    """Encrypts personal data with a key per data subject."""

    async def seal(self, data: bytes, scope: SealScope) -> bytes:
        """Encrypt and authenticate `data`; the subject's key is made at first use and durable before this returns.

        Raises:
            Erased: The subject was erased; nothing new is kept under its name.
        """
        ...

    async def open(self, sealed: bytes, scope: SealScope) -> bytes:
        """The data that was sealed in the same scope.

        Raises:
            SealBroken: Changed, cut, or of another scope.
            Erased: The subject's key was destroyed.
        """
        ...

    async def destroy(self, tenant: str, subject: str) -> bool:
        """Destroy the subject's key for good; true if there was one. Durable before it returns."""
        ...
