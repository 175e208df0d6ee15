"""Shared stores without the extra `[redis]`."""

from __future__ import annotations

import sys

import pytest

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_resilience.rate_limiter import open_storage
from orchestrator_resilience.shared_breaker import open_breaker_store


@pytest.mark.parametrize("open_store", [open_storage, open_breaker_store])
def test_a_store_without_its_driver_says_what_to_install(open_store, monkeypatch):
    for module in ("redis", "redis.asyncio"):
        monkeypatch.setitem(sys.modules, module, None)
    for driver in ("redis_link", "redis_rates", "redis_breakers"):
        monkeypatch.delitem(sys.modules, f"orchestrator_resilience._drivers.{driver}", raising=False)
    with pytest.raises(ConfigurationError, match=r"orchestrator-resilience\[redis\]"):
        open_store("redis://localhost:6379/0")


def test_an_unknown_kind_of_store_is_refused_with_the_known_ones():
    for open_store in (open_storage, open_breaker_store):
        with pytest.raises(ConfigurationError) as refusal:
            open_store("memcached://localhost")
        assert "redis://" in refusal.value.details["allowed"]
