"""An async client of the HTTP API of HashiCorp Vault and OpenBao (extra `[vault]`).

What the user types:

    http = create_client(HttpClientConfig(base_url="https://vault.example:8200"))
    async with http, VaultClient(http, AppRoleLogin(role_id="…", secret_id=secret), clock=clock) as vault:
        secret = await vault.kv().read("calls/database")
        sealed = await vault.transit().encrypt("calls", b"…")

The token is got at first use, renewed when two thirds of its time are over, and replaced when it cannot be renewed. Errors are of one family, `VaultFailed`,
and hold neither secrets nor tokens. `VaultSecretReader` is the kernel's `SecretReader`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from orchestrator_auth._vault.engines import Certificate, DataKey, Pki, Totp, Transit
from orchestrator_auth._vault.errors import (
    VaultConflict,
    VaultDenied,
    VaultFailed,
    VaultMisconfigured,
    VaultNotFound,
    VaultRateLimited,
    VaultRefused,
    VaultSealed,
    VaultStandby,
    VaultUnavailable,
)
from orchestrator_auth._vault.kv import Kv, KvSecret, KvVersion
from orchestrator_auth._vault.login import (
    AppRoleLogin,
    JwtLogin,
    KubernetesLogin,
    TokenKeeper,
    TokenLogin,
    VaultLogin,
    VaultToken,
)
from orchestrator_auth._vault.transport import VaultConfig, VaultTransport, path_of
from orchestrator_kernel.ports import Clock, SecretNotFound

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

logger = logging.getLogger(__name__)

__all__ = [
    "AppRoleLogin",
    "Certificate",
    "DataKey",
    "JwtLogin",
    "KubernetesLogin",
    "Kv",
    "KvSecret",
    "KvVersion",
    "Pki",
    "SealState",
    "TokenLogin",
    "Totp",
    "Transit",
    "VaultClient",
    "VaultConfig",
    "VaultConflict",
    "VaultDenied",
    "VaultFailed",
    "VaultLogin",
    "VaultMisconfigured",
    "VaultNotFound",
    "VaultRateLimited",
    "VaultRefused",
    "VaultSealed",
    "VaultSecretReader",
    "VaultStandby",
    "VaultToken",
    "VaultUnavailable",
    "Wrapped",
    "path_of",
]

_TRY_AGAIN_SECONDS: Final = 5.0

_HEALTH_STATUSES: Final = frozenset({429, 472, 473, 501, 503})


class SealState(StrEnum):
    """What a server says of itself."""

    ACTIVE = "active"
    STANDBY = "standby"
    SEALED = "sealed"
    UNINITIALIZED = "uninitialized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """An answer that Vault keeps for whoever brings this token first; `seconds` until it is dropped."""

    token: str = field(repr=False)
    seconds: int


class VaultClient:
    """A client with a token that it looks after.

    Args:
        client: Of `orchestrator_kernel.http.create_client`, with Vault's address as `base_url`; the caller closes it.
        login: How to get a token.
        clock: For renewing in time.
        config: Namespace and limits.
    """

    def __init__(
        self, client: httpx.AsyncClient, login: VaultLogin, *, clock: Clock, config: VaultConfig | None = None
    ) -> None:
        self.clock = clock
        self._transport = VaultTransport(client, config or VaultConfig())
        self._keeper = TokenKeeper(self._transport, login, clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the token back, unless it was given to us; a Vault that does not answer any more lets it run out."""
        try:
            await self._keeper.revoke()
        except VaultFailed:
            if error is None:
                raise

    async def request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, wrap_ttl: int | None = None
    ) -> dict[str, object]:
        """One request of the API with our token; for what has no method here.

        Args:
            method: GET, POST, PATCH, DELETE or LIST.
            path: Below `/v1/`, made by `path_of`.
            body: Sent as JSON.
            wrap_ttl: Seconds for which the answer is kept wrapped instead of told.

        Raises:
            VaultFailed: Of the kind that fits.
        """
        token = await self._keeper.value()
        try:
            return await self._transport.send(method, path, body, token=token, wrap_ttl=wrap_ttl)
        except VaultDenied:
            # The token may have been revoked or have run out; with a new one it is either allowed or truly denied.
            if not await self._keeper.replace(token):
                raise
            return await self._transport.send(method, path, body, token=await self._keeper.value(), wrap_ttl=wrap_ttl)

    async def keep_alive(self) -> None:
        """Renew the token in time even while nothing is asked, and get one once that is possible; runs until cancelled."""
        while True:
            try:
                await self._keeper.value()
                pause = min(max(self._keeper.renew_in, 0.05), 60.0)
            except (VaultFailed, VaultMisconfigured) as error:
                # Whoever asks meanwhile gets the error.
                logger.warning("there is no token of Vault's to renew", extra={"error": error.code})
                pause = _TRY_AGAIN_SECONDS
            await self.clock.sleep(pause)

    # --- engines

    def kv(self, mount: str = "secret") -> Kv:
        """KV version 2."""
        return Kv(self, mount)

    def transit(self, mount: str = "transit") -> Transit:
        """Encryption and signatures."""
        return Transit(self, mount)

    def pki(self, mount: str = "pki") -> Pki:
        """Certificates."""
        return Pki(self, mount)

    def totp(self, mount: str = "totp") -> Totp:
        """One-time codes."""
        return Totp(self, mount)

    # --- wrapping and leases

    async def wrap(self, data: Mapping[str, object], *, seconds: int) -> Wrapped:
        """Leave data with Vault for whoever brings the token first."""
        answer = await self.request("POST", "sys/wrapping/wrap", data, wrap_ttl=seconds)
        found = cast("dict[str, Any]", answer.get("wrap_info") or {})
        if not isinstance(found.get("token"), str):
            raise VaultUnavailable("Vault's answer was not wrapped")
        return Wrapped(token=found["token"], seconds=int(found["ttl"]))

    async def unwrap(self, token: str) -> dict[str, object]:
        """The whole answer behind a wrapping token, which works no more.

        Raises:
            VaultRefused: It is over or was used: somebody else may have read it, so treat what it held as known.
        """
        return await self._transport.send("POST", "sys/wrapping/unwrap", {}, token=token)

    async def renew_lease(self, lease_id: str, *, seconds: int | None = None) -> int:
        """Make a lease last longer; the seconds that Vault gave."""
        body: dict[str, object] = {"lease_id": lease_id}
        if seconds is not None:
            body["increment"] = seconds
        answer = await self.request("POST", "sys/leases/renew", body)
        return int(cast("int", answer.get("lease_duration") or 0))

    async def revoke_lease(self, lease_id: str) -> None:
        """End a lease and what it stands for."""
        await self.request("POST", "sys/leases/revoke", {"lease_id": lease_id})

    # --- the server

    async def health(self) -> SealState:
        """What the server says of itself; needs no token.

        Raises:
            VaultUnavailable: It says nothing.
        """
        answer = await self._transport.send("GET", "sys/health", accept=_HEALTH_STATUSES)
        if answer.get("initialized") is not True:
            return SealState.UNINITIALIZED
        if answer.get("sealed") is not False:
            return SealState.SEALED
        return SealState.STANDBY if answer.get("standby") is True else SealState.ACTIVE


class VaultSecretReader:
    """The kernel's `SecretReader` over KV version 2: the name is `path` or `path#field`; the field is `value` unless given."""

    def __init__(self, client: VaultClient, *, mount: str = "secret") -> None:
        self._kv = client.kv(mount)

    async def read(self, name: str) -> SecretStr:
        from pydantic import SecretStr  # noqa: PLC0415 - costs as much as importing pydantic

        path, _, member = name.partition("#")
        try:
            secret = await self._kv.read(path)
        except (VaultNotFound, VaultMisconfigured):
            raise SecretNotFound(f"Vault has no secret {name!r}.") from None
        value: object = secret.data.get(member or "value")
        if not isinstance(value, str):
            raise SecretNotFound(f"Vault has no secret {name!r}: the path is there, the field is not.")
        return SecretStr(value)
