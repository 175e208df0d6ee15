"""What a connection from a pool costs: reading in autocommit, trying connections, and the books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, Sampling, acompare
from orchestrator_performance.connection_pools import PoolConfig, Pools


@asynccontextmanager
async def away(url: str, seconds: float) -> AsyncGenerator[str, None]:
    """The same server as if it were on another machine: what it answers comes so much later."""
    from sqlalchemy import make_url

    address, loop = make_url(url), asyncio.get_running_loop()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(address.host, address.port)

        async def answers() -> None:
            while data := await from_server.read(65_536):
                loop.call_later(seconds, writer.write, data)
            loop.call_later(seconds, writer.close)

        answering = asyncio.create_task(answers())
        while data := await reader.read(65_536):
            to_server.write(data)
        to_server.close()
        await answering

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield address.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


async def database_away() -> Report:
    """The same SELECT where a round trip takes a millisecond, as between machines of one site: three of them in a transaction, one without."""
    from sqlalchemy import text

    from orchestrator_testing.servers import postgres

    one = text("SELECT 1")
    with postgres() as server, server.fresh_database() as near:
        async with away(near, 0.001) as url, Pools() as pools:
            pool = pools.sql(PoolConfig(name="away", url=url, size=5))

            async def transaction() -> None:
                async with pool.engine.connect() as connection:
                    await connection.execute(one)

            async def autocommit() -> None:
                async with pool.reading() as connection:
                    await connection.execute(one)

            return await acompare(
                "one-row SELECT with a checkout, a round trip of 1 ms",
                baseline=Contender("pool, transaction", transaction),
                contenders=[Contender("pool, reading()", autocommit)],
                gates={"pool, reading()": Gate(at_most=0.5)},
                seconds=3,
                clock="wall",
                sampling=Sampling(sample_seconds=0.02),
            )


async def database() -> list[Report]:
    """A one-row SELECT on PostgreSQL, and an empty checkout under each policy of trying connections."""
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

    from orchestrator_testing.servers import postgres

    one = text("SELECT 1")
    with postgres() as server, server.fresh_database() as url:
        bare = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
        async with Pools() as pools:
            idle, always, never = (
                pools.sql(PoolConfig(name=ping, url=url, size=5, ping=ping)) for ping in ("idle", "always", "never")
            )

            async def transaction(engine: AsyncEngine) -> None:
                async with engine.connect() as connection:
                    await connection.execute(one)

            async def autocommit() -> None:
                async with idle.reading() as connection:
                    await connection.execute(one)

            async def held() -> None:
                await raw.fetchval("SELECT 1")

            import asyncpg

            raw = await asyncpg.connect(url)
            reading = await acompare(
                "one-row SELECT with a checkout",
                baseline=Contender("pool, transaction", lambda: transaction(idle.engine)),
                contenders=[
                    Contender("SQLAlchemy, its own pool", lambda: transaction(bare)),
                    Contender("pool, reading()", autocommit),
                    Contender("asyncpg, held connection", held),
                ],
                gates={"pool, reading()": Gate(at_most=0.85)},
                seconds=3,
                clock="wall",
            )
            trying = await acompare(
                "one-row SELECT, by when connections are tried",
                baseline=Contender("never", lambda: transaction(never.engine)),
                contenders=[
                    Contender("idle", lambda: transaction(idle.engine)),
                    Contender("always", lambda: transaction(always.engine)),
                ],
                gates={"idle": Gate(at_most=1.1)},
                seconds=3,
                clock="wall",
            )
            await raw.close()
        await bare.dispose()
    return [reading, trying]


async def valkey_books() -> Report:
    """A GET through the pool, next to redis-py's own pool with the same time limit."""
    import redis.asyncio

    from orchestrator_testing.servers import valkey

    with valkey() as server:
        bare = redis.asyncio.Redis(
            connection_pool=redis.asyncio.BlockingConnectionPool.from_url(
                server.url, max_connections=5, timeout=2, socket_timeout=5
            )
        )
        async with Pools() as pools:
            pool = pools.redis(PoolConfig(name="valkey", url=server.url, size=5))
            report = await acompare(
                "GET",
                baseline=Contender("redis-py, blocking pool", lambda: bare.get("k")),
                contenders=[Contender("pool", lambda: pool.client.get("k"))],
                gates={"pool": Gate(at_most=1.2)},
                seconds=3,
            )
        await bare.aclose()
        await bare.connection_pool.disconnect()
    return report


async def http_books() -> Report:
    """A GET through the pool, next to the kernel's client."""
    from orchestrator_kernel.http import HttpClientConfig, create_client

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with Pools() as pools, create_client(HttpClientConfig(base_url=url)) as bare:
        pool = pools.http(PoolConfig(name="http", url=url))
        report = await acompare(
            "GET over loopback",
            baseline=Contender("the kernel's client", lambda: bare.get("/")),
            contenders=[Contender("pool", lambda: pool.client.get("/"))],
            gates={"pool": Gate(at_most=1.15)},
            seconds=3,
        )
    listening.close()
    return report


def benches() -> Iterable[Bench]:
    yield database
    yield database_away
    yield valkey_books
    yield http_books
