"""Records and revocations in Valkey or Redis (extra `[redis]`): for sessions and revocations where several machines serve.

What the user types: `RedisRecords(redis.asyncio.from_url("redis://127.0.0.1:6379"))`, and `RedisRevocations` of the same client. All keys share one hash
tag, so on a cluster they lie on one shard. What has to outlive the server (users, API keys) belongs in SQL, or needs its append-only file.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from orchestrator_auth._jwt.revocation import Changes, Revocation, RevocationKind
from orchestrator_auth.api_keys import windows
from orchestrator_auth.exceptions import AuthStoreFailed, KeyLimitReached
from orchestrator_auth.models import KeyLimits
from orchestrator_auth.records import Record
from orchestrator_kernel.ports import Clock

if TYPE_CHECKING:
    from redis.asyncio import Redis

_Raw = dict[bytes | str, bytes | str]

__all__ = ["RedisKeyLimiter", "RedisRecords", "RedisRevocations"]

# KEYS: record, the names of its owner's by expiry, alias; ARGV: id, body, owner, alias, expiry in milliseconds or empty. Where there is no owner
# or alias, the record's own key stands in its place.
_ADD: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if ARGV[4] ~= '' and redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'body', ARGV[2], 'version', 1, 'owner', ARGV[3], 'alias', ARGV[4], 'expires', ARGV[5])
if ARGV[3] ~= '' then
  local time = redis.call('TIME')
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
  redis.call('ZADD', KEYS[2], ARGV[5] == '' and '+inf' or ARGV[5], ARGV[1])
end
if ARGV[4] ~= '' then redis.call('SET', KEYS[3], ARGV[1]) end
if ARGV[5] ~= '' then
  redis.call('PEXPIREAT', KEYS[1], ARGV[5])
  if ARGV[4] ~= '' then redis.call('PEXPIREAT', KEYS[3], ARGV[5]) end
end
return 1
"""
# KEYS: record, names of its owner's, alias, as above. ARGV: version it was read at, body, expiry, id.
_REPLACE: Final = """
local found = redis.call('HMGET', KEYS[1], 'version', 'owner', 'alias')
if found[1] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'body', ARGV[2], 'version', ARGV[1] + 1, 'expires', ARGV[3])
if found[2] ~= '' then redis.call('ZADD', KEYS[2], ARGV[3] == '' and '+inf' or ARGV[3], ARGV[4]) end
for _, key in ipairs({KEYS[1], found[3] ~= '' and KEYS[3] or KEYS[1]}) do
  if ARGV[3] ~= '' then redis.call('PEXPIREAT', key, ARGV[3]) else redis.call('PERSIST', key) end
end
return 1
"""
# KEYS: clock, names by version, what they mean, names by expiry. ARGV: now, then kind|value, cutoff, expiry for each.
_REVOKE: Final = """
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[1])) do
  redis.call('ZREM', KEYS[2], name); redis.call('HDEL', KEYS[3], name); redis.call('ZREM', KEYS[4], name)
end
for i = 2, #ARGV, 3 do
  local version = redis.call('INCR', KEYS[1])
  redis.call('ZADD', KEYS[2], version, ARGV[i])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
  redis.call('ZADD', KEYS[4], ARGV[i + 2], ARGV[i])
end
return 1
"""
_CHANGES: Final = """
local version = redis.call('GET', KEYS[1]) or '0'
local found = {version}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf')) do
  table.insert(found, name); table.insert(found, redis.call('HGET', KEYS[3], name))
end
return found
"""
# KEYS: a counter for each window. ARGV: limit and milliseconds left, for each window. Nothing is counted when one is full.
_COUNT: Final = """
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then return i end
end
for i, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('PEXPIRE', key, ARGV[2 * i]) end
end
return 0
"""


class _Server:
    """Commands whose every failure is `AuthStoreFailed`; the caller closes the client."""

    def __init__(self, client: Redis, *, prefix: str = "auth") -> None:
        self._client = client
        self._prefix = "{" + prefix + "}"

    def _key(self, *parts: str) -> str:
        return "|".join((self._prefix, *parts))

    async def _run(self, script: str, keys: Sequence[str], *arguments: str) -> Any:
        async with self._errors():
            return await cast("Any", self._client.register_script(script))(keys=keys, args=arguments)

    @asynccontextmanager
    async def _errors(self) -> AsyncGenerator[None]:
        from redis.exceptions import RedisError  # noqa: PLC0415 - only with the extra

        try:
            yield
        except (RedisError, OSError, TimeoutError) as error:
            message = f"The server that keeps sessions and revocations does not answer: {type(error).__name__}."
            raise AuthStoreFailed(message) from error


class RedisRecords(_Server):
    """A `RecordStore` in hashes; expired records vanish by themselves."""

    async def get(self, kind: str, id: str) -> Record | None:  # noqa: A002 - the record's own name for it
        async with self._errors():
            found = await cast("Any", self._client).hgetall(self._key("record", kind, id))
        return _record(kind, id, found)

    async def by_alias(self, kind: str, alias: str) -> Record | None:
        async with self._errors():
            found = await self._client.get(self._key("alias", kind, alias))
        return None if found is None else await self.get(kind, _text(found))

    async def owned(self, kind: str, owner: str, *, after: str = "", limit: int = 500) -> Sequence[Record]:
        async with self._errors():
            names = await cast("Any", self._client).zrange(self._key("owner", kind, owner), 0, -1)
            ids = sorted(name for name in map(_text, names) if name > after)
            pipeline = cast("Any", self._client).pipeline(transaction=False)
            for each in ids:
                pipeline.hgetall(self._key("record", kind, each))
            rows: list[_Raw] = await pipeline.execute() if ids else []
        records = (_record(kind, each, row) for each, row in zip(ids, rows, strict=True))
        return [record for record in records if record is not None][:limit]

    async def add(self, record: Record) -> bool:
        values = record.id, record.body, record.owner, record.alias or "", _milliseconds(record.expires_at)
        return bool(await self._run(_ADD, self._keys_of(record), *values))

    async def replace(self, record: Record) -> bool:
        values = str(record.version), record.body, _milliseconds(record.expires_at), record.id
        return bool(await self._run(_REPLACE, self._keys_of(record), *values))

    async def remove(self, kind: str, id: str) -> bool:  # noqa: A002
        record = await self.get(kind, id)
        if record is None:
            return False
        names = [self._key("record", kind, id)]
        if record.alias:
            names.append(self._key("alias", kind, record.alias))
        async with self._errors(), self._client.pipeline(transaction=True) as pipeline:
            pipeline.delete(names[0])
            if record.alias:
                pipeline.delete(names[1])
            pipeline.zrem(self._key("owner", kind, record.owner), id)
            removed = await pipeline.execute()
        return bool(removed[0])

    async def purge(self, now: datetime) -> int:  # noqa: ARG002 - the server does it by itself
        return 0

    def _keys_of(self, record: Record) -> list[str]:
        key = self._key("record", record.kind, record.id)
        owner = self._key("owner", record.kind, record.owner) if record.owner else key
        alias = self._key("alias", record.kind, record.alias) if record.alias else key
        return [key, owner, alias]


class RedisRevocations(_Server):
    """A `RevocationStore`: a counter, and what was revoked by version."""

    async def add(self, revocations: Sequence[Revocation], now: float) -> None:
        values: list[str] = []
        for each in revocations:
            values += [f"{each.kind}|{each.value}", repr(each.cutoff), repr(each.expires_at)]
        await self._run(_REVOKE, self._keys, repr(now), *values)

    async def changes(self, after: int, now: float) -> Changes:
        version, *rows = await self._run(_CHANGES, self._keys, str(after))
        found: list[Revocation] = []
        for name, text in zip(rows[::2], rows[1::2], strict=True):
            kind, _, value = _text(name).partition("|")
            cutoff, expires = map(float, _text(text).split())
            if expires > now:
                found.append(Revocation(kind=RevocationKind(kind), value=value, cutoff=cutoff, expires_at=expires))
        return Changes(int(version), found)

    @property
    def _keys(self) -> list[str]:
        return [self._key("revocations", part) for part in ("clock", "versions", "meanings", "expiries")]


class RedisKeyLimiter(_Server):
    """A `KeyLimiter` that all processes share."""

    def __init__(self, client: Redis, *, clock: Clock, prefix: str = "auth") -> None:
        super().__init__(client, prefix=prefix)
        self._clock = clock

    async def count(self, key_id: str, limits: KeyLimits) -> None:
        now = self._clock.now().timestamp()
        kept, keys, values = windows(limits), list[str](), list[str]()
        for seconds, limit in kept:
            window = int(now // seconds)
            keys.append(self._key("limit", key_id, str(seconds), str(window)))
            values += [str(limit), str(max(1, math.ceil(((window + 1) * seconds - now) * 1000)))]
        full = await self._run(_COUNT, keys, *values) if kept else 0
        if full:
            seconds, limit = kept[int(full) - 1]
            raise KeyLimitReached(f"{limit} in {seconds} s", retry_after=(now // seconds + 1) * seconds - now)


def _milliseconds(instant: datetime | None) -> str:
    return "" if instant is None else str(math.ceil(instant.timestamp() * 1000))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _record(kind: str, record_id: str, found: _Raw) -> Record | None:
    if not found:
        return None
    row = {_text(name): _text(value) for name, value in found.items()}
    return Record(
        kind=kind,
        id=record_id,
        body=row["body"],
        version=int(row["version"]),
        owner=row["owner"],
        alias=row["alias"] or None,
        expires_at=datetime.fromtimestamp(int(row["expires"]) / 1000, UTC) if row["expires"] else None,
    )
