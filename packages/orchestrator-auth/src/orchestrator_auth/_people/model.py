"""A person as kept, and the forms of names and ids: pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from orchestrator_auth.models import ALL_TENANTS, Grant
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import SealScope

_MAX_LOGIN: Final = 254


class UserNotFound(ValidationError):
    """No user has this id or name, or none that you may see."""

    default_code = "user_not_found"
    default_status = 404


class LoginTaken(ValidationError):
    """Somebody else has this sign-in name."""

    default_code = "login_taken"
    default_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person.

    Attributes:
        tenant: Where the person is at home, and signs in unless they say otherwise.
        sealed_login: The sign-in name, sealed for this person, hexadecimal; looked up by a keyed hash.
        password_hash: Argon2id; empty until the person chose one.
        grants: Roles, each in a tenant.
    """

    id: str
    tenant: str
    sealed_login: str
    created_at: datetime
    password_hash: str = ""
    password_changed_at: datetime | None = None
    grants: frozenset[Grant] = frozenset()
    disabled: bool = False

    @property
    def state(self) -> Literal["active", "invited", "disabled"]:
        """Whether the person may sign in: kept out, without a password yet, or neither."""
        return "disabled" if self.disabled else "active" if self.password_hash else "invited"

    def roles_in(self, tenant: str) -> frozenset[str]:
        """The roles that count in a tenant: those granted there, and the platform's."""
        return frozenset(grant.role for grant in self.grants if grant.tenant in {tenant, ALL_TENANTS})


@dataclass(frozen=True, slots=True)
class Reset:
    """A single-use token to choose a password; one per user, the newest."""

    secret_hash: str
    expires_at: datetime


def normal_login(login: str) -> str:
    """One form of a name, however it was typed."""
    name = unicodedata.normalize("NFKC", login[: 2 * _MAX_LOGIN]).strip().casefold()
    if not 0 < len(name) <= _MAX_LOGIN or not name.isprintable():
        raise ValidationError("a sign-in name is 1 to 254 printable characters", details={"field": "login"})
    return name


def looks_like_id(value: str) -> bool:
    return value.startswith("u-") and value.isascii() and value[2:].isalnum() and len(value) <= 64


def scope_of(tenant: str, user_id: str) -> SealScope:
    return SealScope(tenant, user_id, "auth.login")
