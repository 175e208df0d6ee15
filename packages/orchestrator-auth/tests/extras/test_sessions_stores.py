"""Sessions on the stores that processes share: a refresh token works once among many at the same time, and ends its session the second time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from auth_support import PROFILE, HandClock, ListSink
from redis.asyncio import Redis
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import TokenRefused
from orchestrator_auth.jwt_service import (
    KeyRing,
    MemoryKeys,
    Revocations,
    RevocationStore,
    TokenIssuer,
    TokenVerifier,
)
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.migrations import HISTORY
from orchestrator_auth.models import TokenPair
from orchestrator_auth.records import RecordStore
from orchestrator_auth.redis_store import RedisRecords, RedisRevocations
from orchestrator_auth.sessions import Begin, Sessions
from orchestrator_auth.sql_store import SqlRecords, SqlRevocations

Stores = tuple[RecordStore, RevocationStore]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.server),
        pytest.param("valkey", marks=pytest.mark.server),
    ]
)
async def make_stores(request, tmp_path: Path) -> AsyncIterator[list[Stores]]:
    """Four times the same stores, each over connections of its own, like four processes."""
    async with AsyncExitStack() as stack:
        found: list[Stores] = []
        for number in range(4):
            if request.param == "valkey":
                client = Redis.from_url(request.getfixturevalue("valkey_database"))
                stack.push_async_callback(client.aclose)
                found.append((RedisRecords(client), RedisRevocations(client)))
                continue
            engine = engine_for(request, tmp_path)
            stack.push_async_callback(engine.dispose)
            if number == 0:
                async with engine.begin() as connection:
                    await connection.run_sync(HISTORY.upgrade)
            found.append((SqlRecords(engine), SqlRevocations(engine)))
        yield found


def engine_for(request, tmp_path: Path) -> AsyncEngine:
    if request.param == "postgres":
        url = make_url(request.getfixturevalue("postgres_database"))
        return create_async_engine(url.set(drivername="postgresql+asyncpg"))
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'auth.db'}")

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection, _record) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA busy_timeout = 30000")

    return engine


async def roles_of(user: str, tenant: str) -> frozenset[str]:
    return frozenset({"hotel_staff"})


async def test_a_refresh_token_works_once_among_many_and_its_reuse_ends_the_session(make_stores: list[Stores]) -> None:
    clock, keys = HandClock(), MemoryKeys()
    processes: list[tuple[Sessions, TokenVerifier]] = []
    for records, store in make_stores:
        ring = KeyRing(keys, clock=clock)
        await ring.open()
        revocations = Revocations(store, clock=clock)
        issuer = TokenIssuer(PROFILE, ring, clock=clock, revocations=revocations)
        audit = Auditor(ListSink(), clock=clock)
        pepper = Pepper({"one": b"1" * 32})
        sessions = Sessions(records, issuer, revocations, pepper=pepper, roles_of=roles_of, audit=audit, clock=clock)
        processes.append((sessions, TokenVerifier(PROFILE, ring, clock=clock, revocations=revocations)))

    async def refresh(number: int, token: str) -> TokenPair | None:
        try:
            return await processes[number % 4][0].refresh(token)
        except TokenRefused:
            return None

    first = await processes[0][0].begin(Begin(user_id="u-1", tenant="hotel-7"))
    second = await refresh(1, first.refresh_token)
    assert second is not None
    results = await asyncio.gather(*[refresh(number, second.refresh_token) for number in range(8)])
    (third,) = [result for result in results if result is not None]
    clock.seconds += 1
    for pair in (first, second, third):
        assert await refresh(2, pair.refresh_token) is None
        for _, verifier in processes:
            with pytest.raises(TokenRefused):
                await verifier.verify(pair.access_token)
    assert await processes[3][0].of_user("u-1") == []
