"""What the errors of a real Redis driver and a real server say about another try."""

from __future__ import annotations

import socket

import pytest
import redis.asyncio
import redis.asyncio.retry
import redis.exceptions
from redis.backoff import NoBackoff

from orchestrator_resilience._retry_rules import is_retryable, was_not_done
from orchestrator_resilience.config import RetryConfig
from orchestrator_resilience.retry_utils import PRESETS, Retry


def verdict(error: BaseException) -> tuple[bool, bool]:
    return is_retryable(error, RetryConfig()), was_not_done(error)


async def test_a_server_that_is_not_there_was_asked_nothing():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    client = redis.asyncio.Redis(port=port, retry=redis.asyncio.retry.Retry(NoBackoff(), 0))
    with pytest.raises(redis.exceptions.ConnectionError) as caught:
        await client.ping()
    assert verdict(caught.value) == (True, True)
    await client.aclose()


@pytest.mark.server
async def test_a_server_that_refuses_is_told_from_one_that_may_have_done_it(valkey_database):
    client = redis.asyncio.Redis.from_url(valkey_database)
    try:
        await client.set("name", "text")
        with pytest.raises(redis.exceptions.ResponseError) as wrong:
            await client.incr("name")
        assert verdict(wrong.value) == (False, False)
        other = redis.asyncio.Redis.from_url(valkey_database, password="wrong", username="nobody")
        with pytest.raises(redis.exceptions.AuthenticationError) as stranger:
            await other.ping()
        assert verdict(stranger.value)[0] is False
        await other.aclose()
    finally:
        await client.aclose()


@pytest.mark.server
async def test_the_redis_preset_mends_a_lost_connection(valkey_database):
    client = redis.asyncio.Redis.from_url(valkey_database, single_connection_client=True, retry=None)
    try:
        await client.ping()
        number = await client.client_id()
        killer = redis.asyncio.Redis.from_url(valkey_database)
        await killer.client_kill_filter(_id=str(number))
        await killer.aclose()
        retry = Retry(PRESETS["redis"], budget=None).with_idempotency_key()
        assert await retry.call(client.ping) in {True, b"PONG"}
    finally:
        await client.aclose()
