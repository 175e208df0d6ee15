"""The keys of another authority, from its JSON Web Key Set (extra `[http]`): fetched rarely, from one place, and only what can verify."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from orchestrator_auth._jwt.keys import Algorithm, VerificationKey
from orchestrator_auth.exceptions import IdentityProviderFailed
from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError
from orchestrator_kernel.ports import Clock

if TYPE_CHECKING:
    import httpx

__all__ = ["RemoteKeys", "RemoteKeysConfig", "read_key_set"]

logger = logging.getLogger(__name__)

_MAX_KEYS: Final = 64
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def require_secure_url(url: str, name: str) -> str:
    """Return `url` if it is https, or http on this machine.

    Raises:
        ConfigurationError: It is something else.
    """
    parts = urlsplit(url)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        return url
    raise ConfigurationError(f"{name} must be an https URL", details={"setting": name})


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteKeysConfig:
    """Times in seconds.

    Attributes:
        url: Where the key set is; https, or http on this machine. A redirect is not followed.
        cache_seconds: When the set is fetched again.
        min_interval: No two fetches are closer, however many tokens name unknown keys.
        stale_seconds: How long the last set is believed while the authority does not answer.
        timeout: For one fetch.
        max_bytes: The largest set that is read.
    """

    url: str
    cache_seconds: float = 300.0
    min_interval: float = 10.0
    stale_seconds: float = 3_600.0
    timeout: float = 5.0
    max_bytes: int = 65_536

    def __post_init__(self) -> None:
        require_secure_url(self.url, "url")
        if not 0 < self.min_interval <= self.cache_seconds <= self.stale_seconds:
            raise ConfigurationError("min_interval, cache_seconds and stale_seconds must be positive and in this order")


class RemoteKeys:
    """A `KeySource` of the keys that another authority publishes.

    Args:
        config: Where, and how often.
        client: Of `orchestrator_kernel.http.create_client`; the caller closes it.
        clock: For the intervals.
    """

    def __init__(self, config: RemoteKeysConfig, client: httpx.AsyncClient, *, clock: Clock) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._keys: Mapping[str, VerificationKey] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._fetching = asyncio.Lock()
        self.generation = 0
        self.fresh_until = float("-inf")

    def find(self, kid: str) -> VerificationKey | None:
        return self._keys.get(kid)

    async def refresh(self, kid: str) -> None:
        async with self._fetching:
            if kid not in self._keys and self._clock.monotonic() >= self._tried + self._config.min_interval:
                await self._fetch()

    async def ensure_fresh(self) -> None:
        async with self._fetching:
            now = self._clock.monotonic()
            if now >= self.fresh_until:
                if now >= self._tried + self._config.min_interval:
                    await self._fetch()
                else:
                    self._accept_stale(now, None)

    async def _fetch(self) -> None:
        now = self._tried = self._clock.monotonic()
        try:
            keys = read_key_set(await self._download())
        except (ExternalServiceError, ValueError, RecursionError) as error:
            self._accept_stale(now, error)
            return
        if {kid: key.public_jwk() for kid, key in keys.items()} != {
            kid: key.public_jwk() for kid, key in self._keys.items()
        }:
            self._keys = keys
            self.generation += 1
        self._fetched = now
        self.fresh_until = now + self._config.cache_seconds

    def _accept_stale(self, now: float, error: Exception | None) -> None:
        if now >= self._fetched + self._config.stale_seconds:
            message = "The authority that publishes the signing keys does not answer as it should; try again later."
            raise IdentityProviderFailed(message, status=503, retry_after=self._config.min_interval) from error
        if error is not None:
            logger.warning("key set not fetched, the last one stays in use", extra={"error": type(error).__name__})
        self.fresh_until = min(now + self._config.min_interval, self._fetched + self._config.stale_seconds)

    async def _download(self) -> bytes:
        from orchestrator_kernel.http import deadline, http_errors, read_limited  # noqa: PLC0415 - only with the extra

        service = "key set"
        async with deadline(self._config.timeout, service, kind=IdentityProviderFailed):
            with http_errors(service, kind=IdentityProviderFailed):
                headers = {"accept": "application/jwk-set+json, application/json"}
                request = self._client.build_request("GET", self._config.url, headers=headers)
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    if response.status_code != 200:
                        raise IdentityProviderFailed(f"The key set was answered with {response.status_code}.")
                    return await read_limited(response, self._config.max_bytes, service, kind=IdentityProviderFailed)
                finally:
                    await response.aclose()


def read_key_set(data: bytes) -> dict[str, VerificationKey]:
    """The usable keys of a JSON Web Key Set, by id; keys for other purposes and algorithms are left out.

    Raises:
        ValueError: It is no key set, one of its ids stands twice, or it gives away something private.
    """
    document: object = json.loads(data)
    keys = cast("dict[str, object]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("not a JSON Web Key Set")  # noqa: TRY004 - what came is wrong, not who called
    found: dict[str, VerificationKey] = {}
    for jwk in cast("list[object]", keys)[:_MAX_KEYS]:
        if not isinstance(jwk, dict):
            continue
        key = _usable(cast("dict[str, Any]", jwk))
        if key is not None:
            if key.kid in found:
                raise ValueError("a key id stands twice")
            found[key.kid] = key
    return found


_ALGORITHMS: Final[Mapping[tuple[str, str | None], Algorithm]] = {
    ("EC", "P-256"): Algorithm.ES256,
    ("OKP", "Ed25519"): Algorithm.EDDSA,
    ("RSA", None): Algorithm.RS256,
}


def _usable(jwk: dict[str, Any]) -> VerificationKey | None:
    if _PRIVATE_MEMBERS & jwk.keys():
        raise ValueError("the key set gives away a private key")
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if jwk.get("use", "sig") != "sig" or not isinstance(kind, str) or not isinstance(curve, str | None):
        return None
    # An authority that names no algorithm leaves only one: that of the key's kind.
    algorithm = _ALGORITHMS.get((kind, curve))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        return None
    try:
        return VerificationKey.from_jwk({**jwk, "alg": str(algorithm)})
    except ConfigurationError:
        return None
