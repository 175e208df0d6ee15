"""Engines that compute: transit, PKI and TOTP."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from orchestrator_auth._vault.errors import VaultUnavailable
from orchestrator_auth._vault.transport import Answer, data_of, path_of

if TYPE_CHECKING:
    from orchestrator_auth.vault_client import VaultClient

__all__ = ["Certificate", "DataKey", "Pki", "Totp", "Transit"]


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key to encrypt with, and the same as only Vault can read it."""

    plaintext: bytes = field(repr=False)
    ciphertext: str


class Transit:
    """Encryption and signatures with keys that never leave Vault."""

    def __init__(self, client: VaultClient, mount: str = "transit") -> None:
        self._client = client
        self._mount = mount

    async def create_key(self, name: str, *, kind: str = "aes256-gcm96", derived: bool = False) -> None:
        """A key, for example `aes256-gcm96` to encrypt or `ed25519` to sign; nothing happens if it is there."""
        await self._post("keys", name, body={"type": kind, "derived": derived})

    async def rotate_key(self, name: str) -> None:
        """A new version, which encrypts and signs from now on."""
        await self._post("keys", name, "rotate")

    async def configure_key(self, name: str, *, min_decryption_version: int) -> None:
        """Older ciphertexts and signatures are refused from now on."""
        await self._post("keys", name, "config", body={"min_decryption_version": min_decryption_version})

    async def encrypt(self, name: str, plaintext: bytes, *, context: bytes = b"", associated: bytes = b"") -> str:
        """A ciphertext like `vault:v1:…`.

        Args:
            name: Of the key.
            plaintext: What to encrypt.
            context: From which a derived key is made.
            associated: Has to be given again to decrypt.
        """
        body = {"plaintext": _encode(plaintext), **_bound(context, associated)}
        return _text(await self._post("encrypt", name, body=body), "ciphertext")

    async def decrypt(self, name: str, ciphertext: str, *, context: bytes = b"", associated: bytes = b"") -> bytes:
        """What was encrypted.

        Raises:
            VaultRefused: It is no ciphertext of this key, or not in this context.
        """
        answer = await self._post("decrypt", name, body={"ciphertext": ciphertext, **_bound(context, associated)})
        return base64.b64decode(_text(answer, "plaintext"))

    async def rewrap(self, name: str, ciphertext: str, *, context: bytes = b"") -> str:
        """The same under the newest version, without the plaintext leaving Vault."""
        answer = await self._post("rewrap", name, body={"ciphertext": ciphertext, **_bound(context, b"")})
        return _text(answer, "ciphertext")

    async def data_key(self, name: str, *, bits: int = 256, context: bytes = b"") -> DataKey:
        """A fresh key for our own encryption."""
        data = await self._post("datakey", "plaintext", name, body={"bits": bits, **_bound(context, b"")})
        return DataKey(base64.b64decode(_text(data, "plaintext")), _text(data, "ciphertext"))

    async def sign(self, name: str, data: bytes) -> str:
        """A signature like `vault:v1:…`."""
        return _text(await self._post("sign", name, body={"input": _encode(data)}), "signature")

    async def verify(self, name: str, data: bytes, signature: str) -> bool:
        """Whether the signature is this key's over the data."""
        answer = await self._post("verify", name, body={"input": _encode(data), "signature": signature})
        return answer.get("valid") is True

    async def _post(self, *parts: str, body: Mapping[str, object] | None = None) -> Answer:
        answer = await self._client.request("POST", path_of(self._mount, *parts), body or {})
        return data_of(answer) if answer.get("data") else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its key, PEM."""

    certificate: str
    private_key: str = field(repr=False)
    chain: Sequence[str]
    serial: str
    expires_at: datetime


class Pki:
    """Certificates."""

    def __init__(self, client: VaultClient, mount: str = "pki") -> None:
        self._client = client
        self._mount = mount

    async def issue(
        self, role: str, common_name: str, *, alt_names: Sequence[str] = (), ttl_seconds: int | None = None
    ) -> Certificate:
        """A certificate for a name that the role allows.

        Raises:
            VaultRefused: It does not.
        """
        body: dict[str, object] = {"common_name": common_name}
        if alt_names:
            body["alt_names"] = ",".join(alt_names)
        if ttl_seconds is not None:
            body["ttl"] = f"{ttl_seconds}s"
        data = data_of(await self._client.request("POST", path_of(self._mount, "issue", role), body))
        chain = data.get("ca_chain") or [data.get("issuing_ca")]
        return Certificate(
            certificate=_text(data, "certificate"),
            private_key=_text(data, "private_key"),
            chain=[str(each) for each in cast("Sequence[object]", chain) if each],
            serial=_text(data, "serial_number"),
            expires_at=datetime.fromtimestamp(int(data["expiration"]), UTC),
        )

    async def revoke(self, serial: str) -> None:
        """Put a certificate on the revocation list."""
        await self._client.request("POST", path_of(self._mount, "revoke"), {"serial_number": serial})


class Totp:
    """One-time codes that Vault makes and checks."""

    def __init__(self, client: VaultClient, mount: str = "totp") -> None:
        self._client = client
        self._mount = mount

    async def import_key(self, name: str, uri: str) -> None:
        """Keep the seed of an `otpauth://` URI, to make codes with."""
        await self._client.request("POST", path_of(self._mount, "keys", name), {"url": uri})

    async def create_key(self, name: str, *, issuer: str, account: str) -> str:
        """A fresh seed, to check codes with; its `otpauth://` URI, told this once."""
        body = {"generate": True, "issuer": issuer, "account_name": account}
        return _text(data_of(await self._client.request("POST", path_of(self._mount, "keys", name), body)), "url")

    async def code(self, name: str) -> str:
        """The code of now."""
        return _text(data_of(await self._client.request("GET", path_of(self._mount, "code", name))), "code")

    async def check(self, name: str, code: str) -> bool:
        """Whether the code is right and was not used before."""
        answer = await self._client.request("POST", path_of(self._mount, "code", name), {"code": code})
        return data_of(answer).get("valid") is True


def _bound(context: bytes, associated: bytes) -> dict[str, str]:
    pairs = (("context", context), ("associated_data", associated))
    return {name: _encode(value) for name, value in pairs if value}


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _text(data: Answer, name: str) -> str:
    value: object = data.get(name)
    if not isinstance(value, str):
        raise VaultUnavailable(f"Vault's answer has no {name}")
    return value
