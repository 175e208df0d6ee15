"""Pools against real servers: HTTP, Valkey, PostgreSQL, SQLite."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import textwrap
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import redis.exceptions
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.models import HealthState
from orchestrator_performance.connection_pools import PoolClosed, PoolConfig, Pools

server = pytest.mark.server


@asynccontextmanager
async def http_server(delay: float = 0.0) -> AsyncGenerator[str]:
    """Answers every request after a while; speaks keep-alive."""
    open_connections: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(delay)
                status = b"500 No" if b"GET /broken" in head else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 2\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            open_connections.discard(writer)
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for writer in list(open_connections):
            writer.close()
        await listening.wait_closed()


async def test_a_name_is_one_pool():
    async with Pools() as pools:
        config = PoolConfig(name="hotels", url="http://127.0.0.1:1", size=3)
        assert pools.http(config) is pools.http(PoolConfig(name="hotels", url="http://127.0.0.1:1", size=3))
        with pytest.raises(ConfigurationError, match="hotels"):
            pools.http(PoolConfig(name="hotels", url="http://127.0.0.1:1", size=4))
        with pytest.raises(ConfigurationError, match="not for redis"):
            pools.redis(PoolConfig(name="other", url="http://127.0.0.1:1"))
        assert pools.names == ("hotels",)


async def test_http_tells_who_is_in_and_who_waits():
    async with http_server(delay=0.2) as url, Pools() as pools:
        pool = pools.http(PoolConfig(name="slow", url=url, size=2))
        requests = [asyncio.ensure_future(pool.client.get("/")) for _ in range(5)]
        await asyncio.sleep(0.1)
        stats = pool.stats()
        assert (stats.in_use, stats.waiting, stats.size) == (2, 3, 2)
        assert [each.status_code for each in await asyncio.gather(*requests)] == [200] * 5
        stats = pool.stats()
        assert (stats.in_use, stats.waiting, stats.acquired) == (0, 0, 5)
        assert stats.wait_max > 0.2


async def test_http_waits_no_longer_than_told():
    async with http_server(delay=0.5) as url, Pools() as pools:
        pool = pools.http(PoolConfig(name="slow", url=url, size=1, acquire_seconds=0.05))
        first = asyncio.ensure_future(pool.client.get("/"))
        await asyncio.sleep(0.02)
        with pytest.raises(httpx.PoolTimeout):
            await pool.client.get("/")
        await first
        assert pool.stats().timeouts == 1


async def test_an_answer_that_nobody_closes_is_a_leak():
    async with http_server() as url, Pools() as pools:
        pool = pools.http(PoolConfig(name="leaky", url=url, size=2, hold_seconds=0.05, stacks=True))
        request = pool.client.build_request("GET", "/")
        answer = await pool.client.send(request, stream=True)
        await asyncio.sleep(0.1)
        [held] = pools.leaks()
        assert held.pool == "leaky"
        assert any("test_an_answer_that_nobody_closes" in each for each in held.stack)
        await answer.aclose()
        assert pools.leaks() == []


async def test_http_settings_and_wrapping_transports_work():
    class Stamp(httpx.AsyncBaseTransport):
        def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
            self.inner = inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["x-key"])
            return await self.inner.handle_async_request(request)

        async def aclose(self) -> None:
            await self.inner.aclose()

    seen: list[str] = []
    async with http_server() as url, Pools() as pools:
        pool = pools.http(
            PoolConfig(name="keyed", url=url, http=HttpClientConfig(headers={"x-key": "1"}, read_timeout=1)), wrap=Stamp
        )
        await pool.client.get("/")
        assert seen == ["1"]
        assert pool.stats().acquired == 1


async def test_health_is_asked_and_not_assumed():
    async with http_server() as url, Pools() as pools:
        pools.http(PoolConfig(name="well", url=url, health_path="/"))
        pools.http(PoolConfig(name="ill", url=url, health_path="/broken"))
        pools.http(PoolConfig(name="gone", url="http://127.0.0.1:1", health_path="/"))
        pools.http(PoolConfig(name="unknown", url=url))
        found = {each.component: (each.state, each.reason) for each in await pools.check()}
        assert found == {
            "well": (HealthState.HEALTHY, ""),
            "ill": (HealthState.UNHEALTHY, "ConnectionError"),
            "gone": (HealthState.UNHEALTHY, "ConnectError"),
        }


async def test_a_service_that_is_not_there_yet_does_not_keep_the_rest_from_starting():
    pools = Pools()
    pools.http(PoolConfig(name="gone", url="http://127.0.0.1:1", warm=1, health_path="/"))
    async with pools:
        pass


@server
async def test_valkey(valkey_database: str):
    async with Pools() as pools:
        pool = pools.redis(
            PoolConfig(name="cache", url=valkey_database.replace("redis://", "valkey://"), size=2, warm=2)
        )
        await pools.start()
        assert pool.stats().idle == 2
        await pool.client.set("k", "v")
        assert await pool.client.get("k") == b"v"
        blocked = [asyncio.ensure_future(pool.client.blpop(["none"], timeout=0.3)) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert (pool.stats().in_use, pool.stats().waiting) == (2, 1)
        await asyncio.gather(*blocked)
        assert pool.stats().in_use == 0
        assert [each.state for each in await pools.check()] == [HealthState.HEALTHY]


@server
async def test_valkey_waits_no_longer_than_told(valkey_database: str):
    async with Pools() as pools:
        pool = pools.redis(PoolConfig(name="cache", url=valkey_database, size=1, acquire_seconds=0.05))
        blocked = asyncio.ensure_future(pool.client.blpop(["none"], timeout=0.3))
        await asyncio.sleep(0.05)
        with pytest.raises(redis.exceptions.ConnectionError, match="free in time"):
            await pool.client.get("k")
        await blocked
        assert pool.stats().timeouts == 1


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data.db'}"
    return request.getfixturevalue("postgres_database")


@server
async def test_a_database(database: str):
    async with Pools() as pools:
        pool = pools.sql(PoolConfig(name="data", url=database, size=2, warm=2, acquire_seconds=0.2, stacks=True))
        await pools.start()
        assert (pool.stats().idle, pool.stats().in_use) == (2, 0)
        async with pool.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE t (n INTEGER)"))
            await connection.execute(text("INSERT INTO t VALUES (7)"))
        async with pool.reading() as one, pool.reading() as other:
            assert all("test_a_database" in lease.stack[-1] for lease in pool.usage._held)
            assert (await one.execute(text("SELECT n FROM t"))).scalar() == 7
            assert pool.stats().in_use == 2
            with pytest.raises(PoolTimeoutError):
                async with pool.engine.connect():
                    pass
            await other.execute(text("SELECT 1"))
        stats = pool.stats()
        assert (stats.in_use, stats.waiting, stats.timeouts) == (0, 0, 1)
        assert [each.state for each in await pools.check()] == [HealthState.HEALTHY]
    with pytest.raises(PoolClosed):
        async with pool.engine.connect():
            pass


def test_the_pool_logs_where_pools_of_sqlalchemy_do(tmp_path: Path):
    pool = Pools().sql(PoolConfig(name="data", url=f"sqlite:///{tmp_path / 'x.db'}"))
    assert pool.engine.pool.logger.name.startswith("sqlalchemy.pool.")


@server
async def test_reading_leaves_no_transaction_open(postgres_database: str):
    async with Pools() as pools:
        pool = pools.sql(PoolConfig(name="data", url=postgres_database))
        state = text("SELECT state FROM pg_stat_activity WHERE pid = :pid")
        async with pool.engine.connect() as watch, pool.reading() as reading:
            pid = (await reading.execute(text("SELECT pg_backend_pid()"))).scalar()
            assert (await watch.execute(state, {"pid": pid})).scalar() == "idle"
        # The next user of the connection gets ordinary transactions again.
        async with pool.engine.connect() as watch, pool.engine.connect() as writing:
            pid = (await writing.execute(text("SELECT pg_backend_pid()"))).scalar()
            assert (await watch.execute(state, {"pid": pid})).scalar() == "idle in transaction"


@server
@pytest.mark.parametrize(("ping", "survives"), [("idle", True), ("always", True), ("never", False)])
async def test_connections_that_the_server_closed_are_found_by_trying(postgres_database: str, ping, survives: bool):
    async with Pools() as pools:
        pool = pools.sql(PoolConfig(name="data", url=postgres_database, size=3, ping=ping, idle_seconds=0.05))
        killer = pools.sql(PoolConfig(name="killer", url=postgres_database, size=1))
        async with pool.engine.connect() as one, pool.engine.connect() as two:
            pids = [(await each.execute(text("SELECT pg_backend_pid()"))).scalar() for each in (one, two)]
        await asyncio.sleep(0.1)
        async with killer.reading() as connection:
            for pid in pids:
                await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        await asyncio.sleep(0.1)
        failed = 0
        for _ in range(4):
            try:
                async with pool.engine.connect() as connection:
                    await connection.execute(text("SELECT 1"))
            except DBAPIError:
                failed += 1
        assert (failed == 0) is survives
        assert pool.stats().in_use == 0


@server
async def test_a_database_that_is_down_is_said_within_the_limit(postgres_server):
    async with Pools() as pools:
        with postgres_server.fresh_database() as url:
            pools.sql(PoolConfig(name="data", url=url))
            assert [each.state for each in await pools.check()] == [HealthState.HEALTHY]
            pools.sql(PoolConfig(name="gone", url="postgresql://u:geheim@127.0.0.1:1/x"))
            states = {each.component: each for each in await pools.check()}
            assert states["gone"].state is HealthState.UNHEALTHY
            assert "geheim" not in str(states["gone"])
            await pools.close()


def test_a_wrong_url_is_said_without_its_password():
    pools = Pools()
    for url in ("postgresql://u:geheim@host:port/x", "redis://:geheim@host:port"):
        with pytest.raises(ConfigurationError) as refused:
            (pools.sql if url.startswith("p") else pools.redis)(PoolConfig(name="x", url=url))
        assert "geheim" not in str(refused.value)
        assert refused.value.__suppress_context__


MISSING = """
    import sys
    sys.modules[sys.argv[1]] = None
    from orchestrator_kernel.exceptions import ConfigurationError
    from orchestrator_performance.connection_pools import PoolConfig, Pools
    pools = Pools()
    make = {"h": pools.http, "r": pools.redis}.get(sys.argv[2][0], pools.sql)
    try:
        make(PoolConfig(name="x", url=sys.argv[2]))
    except ConfigurationError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("module", "url", "extra"),
    [
        ("asyncpg", "postgresql://h/d", "orchestrator-performance[postgres]"),
        ("aiosqlite", "sqlite:///f", "orchestrator-performance[sql]"),
        ("sqlalchemy", "sqlite:///f", "orchestrator-performance[sql]"),
        ("redis", "redis://h", "orchestrator-performance[redis]"),
        ("httpx", "http://h", "orchestrator-performance[http]"),
        ("aiomysql", "mysql+aiomysql://h/d", "install aiomysql"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(module: str, url: str, extra: str):
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MISSING), module, url], capture_output=True, text=True, check=True
    )
    assert extra in done.stdout


async def use_http(pool) -> None:
    assert (await pool.client.get("/")).text == "ok"


async def use_valkey(pool) -> None:
    assert await pool.client.get("k") == b"v"


async def use_sql(pool) -> None:
    async with pool.engine.connect() as connection:
        assert (await connection.execute(text("SELECT 42"))).scalar() == 42


async def read_sql(pool) -> None:
    async with pool.reading() as connection:
        assert (await connection.execute(text("SELECT 42"))).scalar() == 42


@server
@pytest.mark.parametrize("seconds", [2.0, pytest.param(60.0, marks=pytest.mark.soak)])
async def test_random_cancellations_cost_no_place(postgres_database: str, valkey_database: str, seconds: float):
    """Forty callers per pool of four, half of them cancelled at any moment; afterwards every place is there and works."""
    dice = random.Random(1)
    async with http_server(delay=0.001) as url, Pools() as pools:
        used = (
            (pools.http(PoolConfig(name="http", url=url, size=4)), use_http),
            (pools.redis(PoolConfig(name="valkey", url=valkey_database, size=4)), use_valkey),
            (pools.sql(PoolConfig(name="sql", url=postgres_database, size=4)), use_sql),
            (pools.sql(PoolConfig(name="reading", url=postgres_database, size=4)), read_sql),
        )
        await used[1][0].client.set("k", "v")
        until = asyncio.get_running_loop().time() + seconds
        cancelled = done = 0

        async def caller(pool, use) -> None:
            nonlocal cancelled, done
            while asyncio.get_running_loop().time() < until:
                task = asyncio.ensure_future(use(pool))
                if dice.random() < 0.5:
                    await asyncio.sleep(dice.choice([0, 0.001, 0.005, 0.02]))
                    task.cancel()
                try:
                    await task
                    done += 1
                except asyncio.CancelledError:
                    cancelled += 1
                except (httpx.PoolTimeout, redis.exceptions.ConnectionError, PoolTimeoutError):
                    pass

        await asyncio.gather(*[caller(*each) for each in used for _ in range(40)])
        assert cancelled > 50 * seconds
        assert done > 50 * seconds
        for pool, use in used:
            async with asyncio.timeout(5):
                while pool.stats().in_use:
                    await asyncio.sleep(0.01)
            stats = pool.stats()
            assert (stats.in_use, stats.waiting, stats.leaking) == (0, 0, 0), stats
            async with asyncio.timeout(5):
                await asyncio.gather(*[use(pool) for _ in range(20)])
        states = await pools.check()
        assert [each.state for each in states] == [HealthState.HEALTHY] * 3


@server
async def test_closing_waits_for_what_is_in_use_and_goes_backwards(valkey_database: str):
    closed: list[str] = []
    pools = Pools(drain_seconds=2)
    for name in ("first", "second"):
        pool = pools.redis(PoolConfig(name=name, url=valkey_database, size=2))

        async def shut(pool=pool, shut=pool.shut) -> None:
            closed.append(pool.config.name)
            await shut()

        pool.shut = shut
    second = pools["second"]
    running = asyncio.ensure_future(second.client.blpop(["none"], timeout=0.3))
    await asyncio.sleep(0.05)
    await pools.close()
    assert running.done() or await running is None
    assert closed == ["second", "first"]
    with pytest.raises(redis.exceptions.ConnectionError, match="closed"):
        await second.client.get("k")


@server
async def test_a_server_that_hangs_is_not_waited_for(valkey_server_of_ones_own):
    own = valkey_server_of_ones_own
    async with Pools() as pools:
        pools.redis(PoolConfig(name="cache", url=own.url))
        os.kill(own.pid, signal.SIGSTOP)
        try:
            [status] = await pools.check(seconds=0.2)
            assert status.state is HealthState.UNHEALTHY
            assert status.reason == "no answer within 0.2 s"
        finally:
            os.kill(own.pid, signal.SIGCONT)


async def test_requests_and_statements_are_told_with_their_times(tmp_path: Path):
    told: list[tuple[str, str, bool]] = []

    def observe(kind: str, name: str, seconds: float, failed: bool) -> None:
        assert 0 <= seconds < 5
        told.append((kind, name, failed))

    async with http_server() as url, Pools(observe=observe) as pools:
        http = pools.http(PoolConfig(name="http", url=url)).client
        await http.get("/")
        await http.get("/broken")
        with pytest.raises(httpx.ConnectError):
            await pools.http(PoolConfig(name="gone", url="http://127.0.0.1:1")).client.get("/")
        sql = pools.sql(PoolConfig(name="sql", url=f"sqlite:///{tmp_path / 'x.db'}"))
        async with sql.reading() as connection:
            await connection.execute(text("SELECT 1"))
            with pytest.raises(DBAPIError):
                await connection.execute(text("SELECT nothing FROM nowhere"))
    assert told == [
        ("http", "http", False),
        ("http", "http", True),
        ("http", "gone", True),
        ("sql", "sql", False),
        ("sql", "sql", True),
    ]


async def test_a_pool_is_replaced_and_works_on_for_those_who_have_it():
    async with http_server() as url, Pools() as pools:
        old = pools.http(PoolConfig(name="model", url=url, size=2))
        new = pools.http(PoolConfig(name="model", url=url, size=3), replace=True)
        assert new is not old
        assert pools.http(PoolConfig(name="model", url=url, size=3), replace=True) is new
        assert (await old.client.get("/")).status_code == 200
        assert [each.size for each in pools.stats()] == [3]
    assert old.client.is_closed
    assert new.client.is_closed
