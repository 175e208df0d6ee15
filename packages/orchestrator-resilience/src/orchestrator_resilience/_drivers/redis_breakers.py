"""Circuits in Redis or Valkey, shared by many processes (extra `[redis]`)."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any
from weakref import WeakSet

from orchestrator_resilience._breaker_store import Circuit, Member, read
from orchestrator_resilience._drivers.redis_link import RedisLink, Script, StoreLost

__all__ = ["RedisBreakers"]

logger = logging.getLogger(__name__)


class RedisBreakers:
    """A store of circuits. Share one object among the breakers of a process; for one event loop at a time.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        prefix: In front of all keys; processes with the same prefix share their circuits.
        time_limit_seconds: How long an answer of the store is waited for before a process goes on alone.
        sync_seconds: How often a process tells the store of its good calls, and hears of the others. Of bad calls it tells at once.

    Raises:
        ConfigurationError: A value is out of range, or the URL is none.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "orchestrator",
        time_limit_seconds: float = 0.03,
        sync_seconds: float = 0.2,
    ) -> None:
        self._script = Script((Path(__file__).parent / "breaker.lua").read_text(encoding="utf-8"))
        self._prefix = prefix
        self._limit = time_limit_seconds
        self._members: WeakSet[Member] = WeakSet()
        self._lost_once = False
        self.up = False
        self._link = RedisLink(
            url,
            [self._script],
            time_limit_seconds=time_limit_seconds,
            heartbeat_seconds=sync_seconds,
            on_beat=self._beat,
            on_lost=self._lost,
        )

    def join(self, member: Member) -> None:
        self._members.add(member)
        if self.up:
            member.found()

    async def ready(self) -> bool:
        self._link.start()
        try:
            async with asyncio.timeout(self._limit):
                await self._link.tried.wait()
        except TimeoutError:
            return False
        return self.up

    async def ask(self, name: str, words: tuple[Any, ...]) -> Circuit | None:
        try:
            return read(await self._link.run(self._script, [f"{self._prefix}:{{circuit:{name}}}"], words))
        except StoreLost:
            return None

    async def _beat(self) -> None:
        if not self.up:
            self.up = True
            if self._lost_once:
                logger.warning("the store of circuits is back")
            for member in list(self._members):
                member.found()
        else:
            for member in list(self._members):
                member.sync()

    def _lost(self, reason: str | None) -> None:
        self.up = False
        if reason is not None:
            self._lost_once = True
            logger.warning("the store of circuits is lost, this process decides by itself: %s", reason)
        for member in list(self._members):
            member.lost()

    async def aclose(self) -> None:
        await self._link.aclose()
        self.up = False
