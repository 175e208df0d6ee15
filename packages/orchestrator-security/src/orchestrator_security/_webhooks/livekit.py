"""LiveKit's server webhooks: a JWT whose claim `sha256` is the hash of the body.

Source: the webhooks page of docs.livekit.io and `webhook/` in github.com/livekit/protocol. The token stands in `Authorization`
without a scheme, is signed with HS256 (RFC 7515) under the secret of the API key named by `iss`, and is valid for 5 minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock, WebhookRefused, WebhookRequest, WebhookSender
from orchestrator_security._webhooks.decoding import ascii_header, base64url, json_object
from orchestrator_security._webhooks.limits import (
    DEFAULT_MAX_BODY,
    require_body_within,
    valid_max_body,
    valid_tolerance,
)
from orchestrator_security._webhooks.secret_ring import HmacRing, WebhookSecret

_LONGEST_TOKEN = 8192
_LAST_SECOND = 99_999_999_999


class LiveKitVerifier:
    """A `WebhookVerifier` for what a LiveKit server sends."""

    def __init__(
        self,
        keys: Mapping[str, Sequence[WebhookSecret]],
        *,
        clock: Clock,
        source: str = "livekit",
        leeway: float = 60.0,
        max_lifetime: float = 300.0,
        max_body: int = DEFAULT_MAX_BODY,
    ) -> None:
        """Set up the verifier.

        Args:
            keys: The secrets of each API key that may sign; each at least 16 bytes, ids unique over all of them.
            clock: Says what time it is.
            source: Names the sender in `WebhookSender.source`.
            leeway: Seconds by which the sender's clock may differ from ours, either way.
            max_lifetime: Seconds between the token's `nbf` and `exp`, plus `leeway`: a token made for joining a room, good for
                hours, is no webhook.
            max_body: Bytes.

        Raises:
            ConfigurationError: A secret or a limit is not usable; the message names it, never its value.
        """
        if not all(keys.values()):
            raise ConfigurationError("every LiveKit API key needs at least one secret")
        self.source = source
        self.max_body = valid_max_body(max_body)
        secrets = [secret for each in keys.values() for secret in each]
        self._ring = HmacRing(secrets)
        self._api_keys = {secret.id: api_key for api_key, secrets in keys.items() for secret in secrets}
        self._clock = clock
        self._leeway = valid_tolerance(leeway, "leeway")
        self._max_lifetime = valid_tolerance(max_lifetime, "max_lifetime")

    def verify(self, request: WebhookRequest) -> WebhookSender:
        require_body_within(request.body, self.max_body)
        now = self._clock.now()
        header, payload, signature = _split(ascii_header(request, "authorization"))
        _require_hs256(header)
        signed = f"{header}.{payload}".encode()
        signers = self._ring.signers(base64url(signature), now, lambda key: key.digest(signed))
        # Only what one of our secrets signed is parsed.
        claims = json_object(base64url(payload))
        signer = self._signer(signers, claims)
        signed_at = self._signed_at(claims, now)
        _require_hash(claims, request.body)
        return WebhookSender(source=self.source, key_id=signer.id, signed_at=signed_at)

    def _signer(self, signers: list[WebhookSecret], claims: Mapping[str, object]) -> WebhookSecret:
        for signer in signers:
            if self._api_keys[signer.id] == claims.get("iss"):
                return signer
        raise WebhookRefused("bad signature: made with the secret of another API key than the token names")

    def _signed_at(self, claims: Mapping[str, object], now: datetime) -> datetime:
        start = _second(claims, "nbf" if "nbf" in claims else "iat")
        issued = _second(claims, "iat") if "iat" in claims else start
        end = _second(claims, "exp")
        here = now.timestamp()
        if here >= end + self._leeway:
            raise WebhookRefused(f"clock skew: the token expired {here - end:.0f} s ago")
        if here < max(start, issued) - self._leeway:
            raise WebhookRefused(f"clock skew: the token begins {max(start, issued) - here:.0f} s in the future")
        if not 0 < end - start <= self._max_lifetime + self._leeway:
            raise WebhookRefused(f"the token is good for {end - start} s, limit {self._max_lifetime:g} s")
        return datetime.fromtimestamp(start, UTC)


def _split(token: str) -> tuple[str, str, str]:
    if len(token) > _LONGEST_TOKEN:
        raise WebhookRefused("the token is too long")
    parts = token.split(".")
    if len(parts) != 3:
        raise WebhookRefused("the Authorization header holds no JWT; LiveKit sends it without the word Bearer")
    return parts[0], parts[1], parts[2]


@lru_cache(maxsize=16)
def _require_hs256(segment: str) -> None:
    # Remembered, because all tokens of a sender have the same header; a refusal is not.
    header = json_object(base64url(segment))
    if header.get("alg") != "HS256":
        raise WebhookRefused("wrong algorithm: the token is not signed with HS256")
    if header.get("typ", "JWT") != "JWT":
        raise WebhookRefused("the token's typ is not JWT")
    if "crit" in header:
        raise WebhookRefused("the token asks for an extension (crit) that does not exist here")


def _second(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    # bool is an int, and no second.
    if type(value) is not int or not 0 <= value <= _LAST_SECOND:
        raise WebhookRefused(f"the claim {name} is missing or not a number of seconds")
    return value


def _require_hash(claims: Mapping[str, object], body: bytes) -> None:
    given = claims.get("sha256")
    if not isinstance(given, str) or not given.isascii():
        raise WebhookRefused("missing hash: the token has no claim sha256")
    if not hmac.compare_digest(base64.b64encode(hashlib.sha256(body).digest()), given.encode()):
        raise WebhookRefused("wrong body: its hash is not the one in the token")
