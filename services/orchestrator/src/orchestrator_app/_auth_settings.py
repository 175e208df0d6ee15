"""Who may sign in, for how long, and where their keys lie."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from orchestrator_config import Settings

__all__ = ["AuthSettings", "VaultSettings"]


class AuthSettings(Settings):
    """People, their sessions, and what the operators' access token may do."""

    access_token: bool = Field(
        default=True,
        description="Whether security.access_token opens anything; switch it off once there is an administrator.",
    )
    access_token_is_second_factor: bool | None = Field(
        default=None,
        description="Whether the access token counts as a second factor too; everywhere but in production when absent.",
    )
    second_factor_roles: tuple[str, ...] | None = Field(
        default=None,
        description="Roles that count only in a session where a second factor was shown; system_admin in production, none elsewhere when absent.",
    )
    open_docs: bool | None = Field(
        default=None,
        description="Whether /docs, /redoc and /openapi.json answer anyone; everywhere but in production when absent.",
    )
    policy_file: Path | None = Field(
        default=None, description="Roles and what they may do, TOML; read again when it changes."
    )
    issuer: str | None = Field(default=None, description="The `iss` of access tokens; server.public_url when absent.")
    algorithm: Literal["ES256", "EdDSA", "RS256"] = Field(default="ES256", description="Of new signing keys.")
    access_minutes: float = Field(default=15.0, gt=0, le=1_440, description="How long an access token lasts.")
    refresh_days: float = Field(
        default=7.0, gt=0, le=90, description="A session whose tokens are not refreshed for so long is over."
    )
    browser_idle_minutes: float = Field(
        default=1_440.0, ge=1, le=129_600, description="A browser's session that is not used for so long is over."
    )
    session_days: float = Field(
        default=30.0, gt=0, le=365, description="However much it is used, a session ends after this."
    )
    free_attempts: int = Field(default=5, ge=1, le=100, description="Wrong passwords in a row that cost no waiting.")
    longest_wait_minutes: float = Field(
        default=15.0, gt=0, le=1_440, description="Each further one doubles the wait, up to this."
    )
    least_password: int = Field(default=12, ge=8, le=64, description="Characters of a new password, at least.")
    blocked_passwords: Path | None = Field(
        default=None, description="A file of passwords that nobody may choose, one a line: a list of leaked ones."
    )
    key_days: float = Field(default=30.0, gt=0, le=3_650, description="How old a signing key gets before the next one.")
    earlier_root_keys: tuple[SecretStr, ...] = Field(
        default=(),
        description="Root keys from before it was changed, oldest first: without them nobody is found any more, and no key of a service is known.",
    )
    shared_url: SecretStr | None = Field(
        default=None,
        description="redis:// or valkey://, with an append-only file: revocations and the counts of API keys lie there. When absent, revocations lie in the database, and each process counts for itself.",
    )
    sessions: Literal["database", "shared"] = Field(
        default="database", description="Where sessions are kept: in the database, or on the server of shared_url."
    )

    @model_validator(mode="after")
    def _shared_is_somewhere(self) -> Self:
        if self.sessions == "shared" and self.shared_url is None:
            raise ValueError("sessions = shared needs shared_url")
        return self


class VaultSettings(Settings):
    """A Vault or OpenBao where API keys lie, instead of in the database."""

    url: AnyHttpUrl | None = Field(default=None, description="Such as https://vault.example:8200.")
    token: SecretStr | None = None
    role_id: str | None = None
    secret_id: SecretStr | None = None
    kubernetes_role: str | None = Field(default=None, description="Log in with the pod's service account.")
    jwt_role: str | None = Field(default=None, description="Log in with the signed token of an identity provider.")
    jwt_file: Path | None = Field(default=None, description="Where that token lies; read anew at each login.")
    login_mount: str | None = Field(
        default=None, description="Where the way to log in is mounted; approle, kubernetes or jwt when absent."
    )
    namespace: str = ""
    mount: str = Field(default="secret", description="The KV version 2 engine.")
    api_keys_path: str = Field(default="orchestrator/auth", description="The folder in it.")

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.role_id is None) != (self.secret_id is None):
            raise ValueError("role_id and secret_id belong together")
        if (self.jwt_role is None) != (self.jwt_file is None):
            raise ValueError("jwt_role and jwt_file belong together")
        logins = (self.token, self.role_id, self.kubernetes_role, self.jwt_role)
        if self.url is not None and sum(each is not None for each in logins) != 1:
            raise ValueError(
                "say one way to log in: token, role_id with secret_id, kubernetes_role, or jwt_role with jwt_file"
            )
        return self
