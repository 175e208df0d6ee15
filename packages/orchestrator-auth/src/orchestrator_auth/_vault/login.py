"""Logging in, and keeping the token alive: renewed before it ends, replaced when it cannot be renewed any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, cast

from pydantic import SecretStr

from orchestrator_auth._vault.errors import VaultDenied, VaultFailed, VaultMisconfigured, VaultRefused, VaultUnavailable
from orchestrator_auth._vault.transport import Answer, VaultTransport, path_of
from orchestrator_kernel.ports import Clock

logger = logging.getLogger(__name__)

_KUBERNETES_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_RENEW_AT: Final = 2 / 3
_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultToken:
    """A token and how long it lasts; `seconds` 0 for one that does not end."""

    value: str = field(repr=False)
    seconds: float
    renewable: bool


class VaultLogin(Protocol):
    """A way to get a token."""

    @property
    def repeatable(self) -> bool:
        """Whether `login` gives a new token each time."""
        ...

    async def login(self, transport: VaultTransport) -> VaultToken:
        """A token.

        Raises:
            VaultFailed: None was given.
        """
        ...


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """A token that somebody else got for us."""

    token: SecretStr

    @property
    def repeatable(self) -> bool:
        return False

    async def login(self, transport: VaultTransport) -> VaultToken:
        value = self.token.get_secret_value()
        answer = await transport.send("GET", "auth/token/lookup-self", token=value)
        data = cast("dict[str, Any]", answer.get("data") or {})
        return VaultToken(value=value, seconds=float(data.get("ttl", 0)), renewable=data.get("renewable") is True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRoleLogin:
    """A role's id with a secret id; `secret_id` may be a function that fetches a fresh one, for secret ids that are good once."""

    role_id: str
    secret_id: SecretStr | Callable[[], SecretStr]
    mount: str = "approle"

    @property
    def repeatable(self) -> bool:
        return True

    async def login(self, transport: VaultTransport) -> VaultToken:
        secret = self.secret_id if isinstance(self.secret_id, SecretStr) else self.secret_id()
        body = {"role_id": self.role_id, "secret_id": secret.get_secret_value()}
        return _token(await transport.send("POST", path_of("auth", self.mount, "login"), body))


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtLogin:
    """A signed token of an identity provider; `jwt` may be a function that gives the present one, or a file that is read anew each time."""

    role: str
    jwt: SecretStr | Path | Callable[[], SecretStr]
    mount: str = "jwt"

    @property
    def repeatable(self) -> bool:
        return True

    async def login(self, transport: VaultTransport) -> VaultToken:
        if isinstance(self.jwt, Path):
            jwt = await _token_in(self.jwt)
        else:
            jwt = (self.jwt if isinstance(self.jwt, SecretStr) else self.jwt()).get_secret_value()
        body = {"role": self.role, "jwt": jwt}
        return _token(await transport.send("POST", path_of("auth", self.mount, "login"), body))


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesLogin:
    """The service account of the pod; its token is read anew each time, since Kubernetes replaces it."""

    role: str
    token_file: Path = _KUBERNETES_TOKEN
    mount: str = "kubernetes"

    @property
    def repeatable(self) -> bool:
        return True

    async def login(self, transport: VaultTransport) -> VaultToken:
        body = {"role": self.role, "jwt": await _token_in(self.token_file)}
        return _token(await transport.send("POST", path_of("auth", self.mount, "login"), body))


async def _token_in(file: Path) -> str:
    try:
        return (await asyncio.to_thread(file.read_text)).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise VaultMisconfigured("the file with the token to log in with cannot be read") from error


def _token(answer: Answer) -> VaultToken:
    auth: object = answer.get("auth")
    if not isinstance(auth, dict) or not isinstance(cast("Answer", auth).get("client_token"), str):
        raise VaultUnavailable("Vault's answer to the login has no token")
    found = cast("Answer", auth)
    seconds = float(found.get("lease_duration") or 0)
    return VaultToken(value=found["client_token"], seconds=seconds, renewable=found.get("renewable") is True)


class TokenKeeper:
    """The token of a client: got at first use, renewed when two thirds of its time are over, replaced when that does not help."""

    def __init__(self, transport: VaultTransport, login: VaultLogin, clock: Clock) -> None:
        self._transport = transport
        self._login = login
        self._clock = clock
        self._changing = asyncio.Lock()
        self._token: VaultToken | None = None
        self._renew_at = _NEVER
        self._ends_at = _NEVER

    @property
    def renew_in(self) -> float:
        """Seconds until the token wants renewing."""
        return self._renew_at - self._clock.monotonic()

    async def value(self) -> str:
        """The token to send now.

        Raises:
            VaultFailed: There is none to be had.
        """
        if self._token is None or self._clock.monotonic() >= self._renew_at:
            async with self._changing:
                if self._token is None:
                    await self._log_in()
                elif self._clock.monotonic() >= self._renew_at:
                    await self._renew(self._token)
        return cast("VaultToken", self._token).value

    async def replace(self, refused: str) -> bool:
        """After Vault refused this token: log in again; false if that would give the same one."""
        if not self._login.repeatable:
            return False
        async with self._changing:
            if self._token is not None and self._token.value == refused:
                await self._log_in()
        return True

    async def revoke(self) -> None:
        """Give the token back, at the end."""
        async with self._changing:
            token, self._token = self._token, None
            if token is not None and self._login.repeatable:
                await self._transport.send("POST", "auth/token/revoke-self", token=token.value)

    async def _log_in(self) -> None:
        asked = self._clock.monotonic()
        self._keep(await self._login.login(self._transport), asked)

    async def _renew(self, token: VaultToken) -> None:
        asked = self._clock.monotonic()
        try:
            answer = await self._transport.send("POST", "auth/token/renew-self", {}, token=token.value)
            renewed = _token(answer)
        except VaultRefused:
            # Past its longest life, or revoked.
            if not self._login.repeatable:
                raise VaultDenied("Vault's token is over and cannot be renewed; give the service a new one") from None
            await self._log_in()
            return
        except VaultFailed:
            if asked >= self._ends_at:
                raise
            logger.warning("vault token not renewed yet, it lasts a while longer")
            self._renew_at = asked + max((self._ends_at - asked) / 4, 0.1)
            return
        # Near its longest life Vault gives less and less: then a new token is better.
        if self._login.repeatable and renewed.seconds < token.seconds / 2:
            await self._log_in()
        else:
            self._keep(VaultToken(value=renewed.value, seconds=renewed.seconds, renewable=renewed.renewable), asked)

    def _keep(self, token: VaultToken, asked: float) -> None:
        self._token = token
        self._ends_at = asked + token.seconds if token.seconds else _NEVER
        wanted = token.renewable or self._login.repeatable
        self._renew_at = asked + token.seconds * _RENEW_AT if token.seconds and wanted else _NEVER
