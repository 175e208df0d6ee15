"""The second level of caches in Redis or Valkey (extra `[redis]`).

Each operation is one script on the server, on the server's clock, and answered within the time limit or not at all. A value carries the moment
before its load began; an invalidation leaves the moment at which it happened; whoever reads compares the two, so nothing has to be searched
and deleted, and a value that was loaded from what is invalid by now is never believed.

A task in the background keeps a subscription to what others invalidate, finds out when the store is lost, and looks for it until it is back. Then
it first tells the store what this process invalidated meanwhile, and asks whether it missed something itself.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._cache.shared import OUT, Invalidation, Listener, Outage, SharedValue

__all__ = ["RedisLevel"]

logger = logging.getLogger(__name__)

_SEPARATOR: Final = "\x1f"
_BEAT: Final = 0.2
_CONNECT: Final = 1.0
_CONNECTIONS: Final = 32
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_MOST_PENDING: Final = 10_000
_TOMBSTONE_MS: Final = 60_000


class _Script:
    """A Lua script and its hash."""

    def __init__(self, name: str) -> None:
        self.source = (Path(__file__).parent / name).read_text(encoding="utf-8")
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


class RedisLevel:
    """See `caching.redis_level`. For one event loop."""

    def __init__(self, client: Any, *, prefix: str, time_limit_seconds: float, longest_seconds: float) -> None:
        for setting, value in (("time_limit_seconds", time_limit_seconds), ("longest_seconds", longest_seconds)):
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"{setting} must be a positive number", details={"setting": setting})
        self._own = isinstance(client, str)
        self._client: Redis = _client(client, time_limit_seconds) if isinstance(client, str) else client
        if self._client.get_encoder().decode_responses:
            raise ConfigurationError(
                "the client decodes answers, and a cache's values are bytes; make it without decode_responses"
            )
        self._prefix = prefix
        self._channel = f"{prefix}:invalidated"
        self._limit = time_limit_seconds
        self._longest = longest_seconds
        self._id = secrets.token_hex(8)
        self._read, self._write, self._drop = map(_Script, ("cache_read.lua", "cache_write.lua", "cache_drop.lua"))
        self._listeners: list[Listener] = []
        self._counts: dict[str, int] = {}
        self._pending: dict[str, Invalidation] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._told = False
        self._closed = False
        self._tried = asyncio.Event()
        self.up = False
        """Whether the store is there and asked."""

    # -- the port

    def join(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def start(self) -> bool:
        self._closed = False
        self._keep()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CONNECT):
                await self._tried.wait()
        return self.up

    async def close(self) -> None:
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        self.up = False
        if self._own:
            await self._client.aclose()

    async def read(self, space: str, name: str) -> Any:
        root = space.partition("/")[0]
        keys = [self._value(space, name), self._key(space, "cleared"), self._key(root, "cleared")]
        try:
            told = await self._run(self._read, keys, [self._key(space, "tag:"), self._key(root, "tag:")])
        except Outage:
            return OUT
        stamp, *rest = cast("list[Any]", told)
        if not rest:
            return SharedValue(None, int(stamp))
        data, fresh, last, cost, tags = rest
        return SharedValue(
            data,
            int(stamp),
            int(fresh) / 1e6,
            max(0, int(last)) / 1e3,
            float(cost),
            tuple(each for each in tags.decode().split(_SEPARATOR) if each),
        )

    async def write(
        self,
        space: str,
        name: str,
        data: bytes,
        *,
        stamp: int,
        fresh: float,
        last: float,
        cost: float,
        tags: Sequence[str],
    ) -> bool | None:
        root = space.partition("/")[0]
        keys = [
            self._value(space, name),
            self._key(space, "cleared"),
            self._key(root, "cleared"),
            self._key(space, f"lease:{name}"),
        ]
        fresh, last = min(fresh, self._longest), min(last, self._longest)
        words: list[Any] = [
            self._key(space, "tag:"),
            self._key(root, "tag:"),
            data,
            stamp,
            max(1, round(fresh * 1000)),
            max(1, round(last * 1000)),
            f"{cost:.6f}",
            _SEPARATOR.join(tags),
        ]
        try:
            return bool(await self._run(self._write, keys, words))
        except Outage:
            return None

    async def lease(self, space: str, name: str, seconds: float) -> bool:
        words = ("SET", self._key(space, f"lease:{name}"), self._id, "NX", "PX", max(1, round(seconds * 1000)))
        try:
            return await self._ask(*words) is not None
        except Outage:
            return True

    async def invalidate(self, what: Invalidation) -> bool:
        self._keep()
        if what.space.partition("/")[0] not in self._pending:
            with suppress(Outage):
                await self._told_store(what)
                return True
        self._remember(what)
        return False

    # -- asking

    async def _command(self, *words: Any) -> Any:
        return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]

    def _key(self, space: str, rest: str) -> str:
        # All keys of one cache in one slot of a cluster.
        root, _, partition = space.partition("/")
        return f"{{{self._prefix}:{root}}}{'/' if partition else ''}{partition}:{rest}"

    def _value(self, space: str, name: str) -> str:
        return self._key(space, f"value:{name}")

    async def _run(self, script: _Script, keys: Sequence[str], words: Sequence[Any]) -> Any:
        try:
            return await self._ask("EVALSHA", script.sha, len(keys), *keys, *words)
        except NoScriptError:
            return await self._ask("EVAL", script.source, len(keys), *keys, *words)

    async def _ask(self, *words: Any) -> Any:
        """The store's answer.

        Raises:
            Outage: There is none within the time limit, or the store is known to be out.
        """
        self._keep()
        if self._closed:
            raise Outage("the shared store of the cache was closed here")
        scope = asyncio.timeout(self._limit)
        try:
            async with scope:
                if not self._tried.is_set():
                    await self._tried.wait()
                if not self.up:
                    raise Outage("the shared store of the cache is out")
                return await self._command(*words)
        except TimeoutError:
            self._lost(f"no answer within {self._limit * 1000:g} ms")
        except NoScriptError:
            raise
        except ResponseError as error:
            # It has no memory left, or has become a replica: it answers, and this operation is of no use.
            raise Outage(f"the shared store of the cache refused: {str(error).partition(' ')[0]}") from None
        except (RedisError, OSError) as error:
            self._lost(type(error).__name__)
        raise Outage("the shared store of the cache is out")

    def _lost(self, reason: str) -> None:
        if self.up and not self._told:
            self._told = True
            logger.warning("the shared store of caches is lost, this process goes by its own: %s", reason)
        self.up = False
        self._tried.set()

    # -- what happens meanwhile

    def _remember(self, what: Invalidation) -> None:
        """Keep what the store must be told when it is back."""
        before = self._pending.get(what.space)
        if before is not None:
            everything = not (before.names or before.tags) or not (what.names or what.tags)
            names, tags = {*before.names, *what.names}, {*before.tags, *what.tags}
            if everything or len(names) + len(tags) > _MOST_PENDING:
                names, tags = set[str](), set[str]()
            what = Invalidation(what.space, tuple(names), tuple(tags))
        self._pending[what.space] = what

    async def _told_store(self, what: Invalidation, *, back: bool = False) -> None:
        root = what.space.partition("/")[0]
        message = {"from": self._id, "space": what.space, "names": what.names, "tags": what.tags}
        keys = [self._key(root, "count"), self._key(what.space, "cleared")]
        keys += [self._value(what.space, name) for name in what.names]
        words: list[Any] = [
            self._key(what.space, "tag:"),
            round(self._longest * 1000),
            _TOMBSTONE_MS,
            self._channel,
            json.dumps(message)[:-1] + ', "count": ',
            "}",
            *what.tags,
        ]
        if back:
            await self._command("EVAL", self._drop.source, len(keys), *keys, *words)
        else:
            await self._run(self._drop, keys, words)

    def _keep(self) -> None:
        if not self._closed and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.get_running_loop().create_task(self._stay(), name="shared store of caches")

    async def _stay(self) -> None:
        """Be connected; when the connection is lost, look for the store until it is back."""
        pause = _FIRST_PAUSE
        while True:
            pubsub: PubSub = self._client.pubsub()
            try:
                async with asyncio.timeout(_CONNECT):
                    await self._come_back(pubsub)
                pause = _FIRST_PAUSE
                await self._listen(pubsub)
            except (RedisError, OSError, TimeoutError) as error:
                self._lost(type(error).__name__)
            finally:
                with suppress(RedisError, OSError, TimeoutError):
                    async with asyncio.timeout(_CONNECT):
                        await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def _come_back(self, pubsub: PubSub) -> None:
        await pubsub.subscribe(self._channel)
        # Until the subscription is confirmed, an invalidation could pass unheard.
        while await pubsub.get_message(timeout=_CONNECT) is None:
            pass
        while self._pending:
            space = next(iter(self._pending))
            await self._told_store(self._pending[space], back=True)
            del self._pending[space]
        for root in {each.space.partition("/")[0] for each in self._listeners}:
            count = int(await self._command("GET", self._key(root, "count")) or 0)
            if self._counts.setdefault(root, count) != count:
                self._missed(root)
            self._counts[root] = count
        if self._told:
            logger.warning("the shared store of caches is back")
        self.up, self._told = True, False
        self._tried.set()

    async def _listen(self, pubsub: PubSub) -> None:
        loop = asyncio.get_running_loop()
        beat = loop.time() + 1
        while self.up:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=_BEAT)
            if message is not None:
                self._heard(cast("bytes", message["data"]))
            if loop.time() >= beat:
                beat = loop.time() + 1
                async with asyncio.timeout(_CONNECT):
                    await self._command("PING")

    def _heard(self, data: bytes) -> None:
        try:
            message = json.loads(data)
            what = Invalidation(str(message["space"]), tuple(message["names"]), tuple(message["tags"]))
            count, sender = int(message["count"]), str(message["from"])
        except (ValueError, KeyError, TypeError):
            logger.warning("a message to the caches cannot be read")
            return
        root = what.space.partition("/")[0]
        expected = self._counts.get(root)
        self._counts[root] = count
        if expected is not None and count > expected + 1:
            self._missed(root)
        if sender == self._id:
            return
        for each in list(self._listeners):
            if each.space == what.space or (what.space == root and each.space.partition("/")[0] == root):
                each.invalidated(what)

    def _missed(self, root: str) -> None:
        for each in list(self._listeners):
            if each.space.partition("/")[0] == root:
                each.missed()


def _client(url: str, time_limit: float) -> Redis:
    try:
        pool: Any = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=time_limit,
            socket_connect_timeout=_CONNECT,
            socket_timeout=_CONNECT,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise ConfigurationError(
            "the second level needs a redis://, rediss:// or unix:// URL", details={"setting": "client"}
        ) from None
    except RedisConnectionError:
        raise ConfigurationError("the second level's URL is not valid", details={"setting": "client"}) from None
    return Redis.from_pool(pool)
