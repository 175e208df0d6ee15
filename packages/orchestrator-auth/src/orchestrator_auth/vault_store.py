"""Records in Vault's or OpenBao's KV version 2 (extra `[vault]`): for API keys, where they shall lie with the other secrets.

What the user types: `VaultRecords(vault.kv("secret"), prefix="calls/auth")`. A record is a secret, and its version the secret's, so check-and-set is Vault's own. Finding
all of an owner, and purging, read every record of a kind: keep here what is thousands, not millions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from orchestrator_auth._vault.errors import VaultConflict, VaultFailed, VaultMisconfigured, VaultNotFound
from orchestrator_auth._vault.kv import Kv
from orchestrator_auth.exceptions import AuthStoreFailed
from orchestrator_auth.records import Record

__all__ = ["VaultRecords"]


class VaultRecords:
    """A `RecordStore` below one path of a KV engine."""

    def __init__(self, kv: Kv, *, prefix: str = "auth") -> None:
        self._kv = kv
        self._prefix = prefix

    async def get(self, kind: str, id: str) -> Record | None:  # noqa: A002 - the record's own name for it
        async with _errors():
            found = await self._read(self._path("record", kind, id))
        return None if found is None else _record(kind, id, *found)

    async def by_alias(self, kind: str, alias: str) -> Record | None:
        async with _errors():
            found = await self._read(self._path("alias", kind, alias))
        return None if found is None else await self.get(kind, str(found[0]["id"]))

    async def owned(self, kind: str, owner: str, *, after: str = "", limit: int = 500) -> Sequence[Record]:
        async with _errors():
            names = sorted(name for name in await self._kv.list(f"{self._prefix}/record/{kind}") if name > after)
        found: list[Record] = []
        for name in names:
            record = await self.get(kind, name)
            if record is not None and record.owner == owner:
                found.append(record)
                if len(found) == limit:
                    break
        return found

    async def add(self, record: Record) -> bool:
        async with _errors():
            if record.alias is not None and not await self._take(record.kind, record.alias, record.id):
                return False
            try:
                await self._kv.write(self._path("record", record.kind, record.id), _values(record), cas=0)
            except VaultConflict:
                if record.alias is not None:
                    await self._kv.forget(self._path("alias", record.kind, record.alias))
                return False
        return True

    async def replace(self, record: Record) -> bool:
        present = await self.get(record.kind, record.id)
        if present is None or present.version != record.version:
            return False
        values = {**_values(record), "owner": present.owner, "alias": present.alias}
        async with _errors():
            try:
                await self._kv.write(self._path("record", record.kind, record.id), values, cas=record.version)
            except VaultConflict:
                return False
        return True

    async def remove(self, kind: str, id: str) -> bool:  # noqa: A002
        record = await self.get(kind, id)
        if record is None:
            return False
        async with _errors():
            await self._kv.forget(self._path("record", kind, id))
            if record.alias is not None:
                await self._kv.forget(self._path("alias", kind, record.alias))
        return True

    async def purge(self, now: datetime) -> int:
        count = 0
        async with _errors():
            kinds = await self._kv.list(f"{self._prefix}/record")
            names = [
                (kind.rstrip("/"), name)
                for kind in kinds
                for name in await self._kv.list(f"{self._prefix}/record/{kind}")
            ]
        for kind, name in names:
            record = await self.get(kind, name)
            if record is not None and record.expires_at is not None and record.expires_at <= now:
                count += await self.remove(kind, name)
        return count

    async def _take(self, kind: str, alias: str, record_id: str) -> bool:
        """Make the alias ours; one that leads nowhere, left by whoever was killed in `add`, is taken over."""
        path = self._path("alias", kind, alias)
        version = 0
        found = await self._read(path)
        if found is not None:
            if await self.get(kind, str(found[0]["id"])) is not None:
                return False
            version = found[1]
        try:
            await self._kv.write(path, {"id": record_id}, cas=version)
        except VaultConflict:
            return False
        return True

    async def _read(self, path: str) -> tuple[dict[str, Any], int] | None:
        try:
            secret = await self._kv.read(path)
        except VaultNotFound:
            return None
        return dict(secret.data), secret.version.version

    def _path(self, what: str, kind: str, name: str) -> str:
        return f"{self._prefix}/{what}/{kind}/{name}"


@asynccontextmanager
async def _errors() -> AsyncGenerator[None]:
    try:
        yield
    except (VaultFailed, VaultMisconfigured) as error:
        raise AuthStoreFailed(f"Vault, which keeps the API keys, failed: {error.code}.") from error


def _values(record: Record) -> dict[str, Any]:
    expires = None if record.expires_at is None else record.expires_at.isoformat()
    return {"body": record.body, "owner": record.owner, "alias": record.alias, "expires_at": expires}


def _record(kind: str, record_id: str, values: dict[str, Any], version: int) -> Record:
    expires = values["expires_at"]
    return Record(
        kind=kind,
        id=record_id,
        body=values["body"],
        version=version,
        owner=values["owner"],
        alias=values["alias"],
        expires_at=None if expires is None else datetime.fromisoformat(expires),
    )
