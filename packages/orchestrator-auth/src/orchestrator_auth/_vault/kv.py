"""Secrets with versions: the engine KV version 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, cast

from orchestrator_auth._vault.errors import VaultNotFound, VaultUnavailable
from orchestrator_auth._vault.transport import Answer, data_of, path_of

if TYPE_CHECKING:
    from orchestrator_auth.vault_client import VaultClient

__all__ = ["Kv", "KvSecret", "KvVersion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KvVersion:
    """One version of a secret, without its data."""

    version: int
    created_at: datetime
    deleted_at: datetime | None = None
    destroyed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KvSecret:
    """A secret's data, which `repr` does not show, and which version it is."""

    data: Mapping[str, object] = field(repr=False)
    version: KvVersion


class Kv:
    """KV version 2 at one mount."""

    def __init__(self, client: VaultClient, mount: str = "secret") -> None:
        self._client = client
        self._mount = mount

    async def read(self, path: str, *, version: int | None = None) -> KvSecret:
        """A secret, the newest version unless one is given.

        Raises:
            VaultNotFound: There is none, or this version is deleted or destroyed.
        """
        query = "" if version is None else f"?version={int(version)}"
        data = data_of(await self._client.request("GET", self._path("data", path) + query))
        values: object = data.get("data")
        if not isinstance(values, dict):
            raise VaultNotFound("This version of the secret is deleted or destroyed.")
        return KvSecret(data=cast("dict[str, object]", values), version=_version(cast("Answer", data["metadata"])))

    async def write(self, path: str, data: Mapping[str, object], *, cas: int | None = None) -> int:
        """A new version; its number.

        Args:
            path: Of the secret.
            data: All of it.
            cas: The version that has to be the newest; 0 if there may be none yet.

        Raises:
            VaultConflict: It is not.
        """
        body: dict[str, object] = {"data": dict(data)}
        if cas is not None:
            body["options"] = {"cas": cas}
        return _number(data_of(await self._client.request("POST", self._path("data", path), body)), "version")

    async def delete(self, path: str, versions: Sequence[int] = ()) -> None:
        """Hide versions, the newest unless some are given; `undelete` brings them back."""
        if versions:
            await self._client.request("POST", self._path("delete", path), {"versions": list(versions)})
        else:
            await self._client.request("DELETE", self._path("data", path))

    async def undelete(self, path: str, versions: Sequence[int]) -> None:
        """Bring deleted versions back."""
        await self._client.request("POST", self._path("undelete", path), {"versions": list(versions)})

    async def destroy(self, path: str, versions: Sequence[int]) -> None:
        """Destroy the data of versions for good."""
        await self._client.request("POST", self._path("destroy", path), {"versions": list(versions)})

    async def versions(self, path: str) -> list[KvVersion]:
        """All versions that are remembered, the oldest first.

        Raises:
            VaultNotFound: There is no such secret.
        """
        data = await self._metadata(path)
        versions = cast("dict[str, Answer]", data.get("versions") or {})
        return [_version({**facts, "version": int(number)}) for number, facts in versions.items()]

    async def custom_metadata(self, path: str) -> dict[str, str]:
        """What was noted about a secret; not secret."""
        return cast("dict[str, str]", (await self._metadata(path)).get("custom_metadata") or {})

    async def set_metadata(
        self,
        path: str,
        *,
        custom: Mapping[str, str] | None = None,
        max_versions: int | None = None,
        cas_required: bool | None = None,
    ) -> None:
        """Change what is noted about a secret and how it is kept; what is not given stays."""
        body = {"custom_metadata": custom, "max_versions": max_versions, "cas_required": cas_required}
        body = {name: value for name, value in body.items() if value is not None}
        await self._client.request("POST", self._path("metadata", path), body)

    async def forget(self, path: str) -> None:
        """Remove a secret with all versions and everything noted about it."""
        await self._client.request("DELETE", self._path("metadata", path))

    async def list(self, path: str = "") -> list[str]:
        """The names below a path; those that end in `/` have more below them. Empty if there is nothing."""
        try:
            answer = await self._client.request(
                "LIST", self._path("metadata", path) if path else path_of(self._mount, "metadata")
            )
        except VaultNotFound:
            return []
        return [str(each) for each in cast("Sequence[object]", data_of(answer).get("keys") or [])]

    async def _metadata(self, path: str) -> Answer:
        return data_of(await self._client.request("GET", self._path("metadata", path)))

    def _path(self, kind: str, path: str) -> str:
        return path_of(self._mount, kind, path)


def _number(data: Answer, name: str) -> int:
    value: object = data.get(name)
    if not isinstance(value, int):
        raise VaultUnavailable("Vault's answer has no version")
    return value


def _version(facts: Answer) -> KvVersion:
    deleted = facts.get("deletion_time")
    return KvVersion(
        version=_number(facts, "version"),
        created_at=datetime.fromisoformat(facts["created_time"]),
        deleted_at=datetime.fromisoformat(deleted) if deleted else None,
        destroyed=facts.get("destroyed") is True,
    )
