"""Which policies stand in front of which service, and how many requests may come in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import httpx
from prometheus_client import CollectorRegistry

from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import AdmissionRequest, Clock
from orchestrator_resilience.config import BulkheadConfig, CircuitBreakerConfig, RetryConfig
from orchestrator_resilience.http_transport import PipelineTransport
from orchestrator_resilience.manager import ResilienceManager
from orchestrator_resilience.metrics import ResilienceMetrics
from orchestrator_resilience.pipeline_config import SERVICE_DEFAULTS, PipelineConfig, for_profile
from orchestrator_resilience.rate_limit_rules import RateLimitAdmission, RateLimitRule
from orchestrator_resilience.rate_limiter import MonotonicStorage, open_storage
from orchestrator_resilience.shared_breaker import open_breaker_store

__all__ = ["DEPENDENCIES", "RULES", "Resilience", "make_resilience"]

logger = logging.getLogger(__name__)

_ONCE: Final = RetryConfig(attempts=2, base_seconds=0.1, max_seconds=0.5)

DEPENDENCIES: Final[Mapping[str, PipelineConfig]] = {
    # A sentence that is late is spoken by the next voice: the fail-over is the retry.
    "tts_service": replace(SERVICE_DEFAULTS["tts_service"], time_limit_seconds=10.0),
    "chat_service": PipelineConfig(
        breaker=CircuitBreakerConfig(), bulkhead=BulkheadConfig(limit=200), time_limit_seconds=10.0
    ),
    # An action carries its key, so a second attempt is the same action.
    "actions": replace(SERVICE_DEFAULTS["external_api"], time_limit_seconds=5.0, retry=_ONCE),
}
"""What this application asks of others. A time limit is to the first byte of an answer."""

RULES: Final = (
    RateLimitRule("anonymous", "120/minute; 1200/hour"),
    RateLimitRule("authenticated", "20/second; 600/minute; 20000/hour", client_class="authenticated"),
    RateLimitRule("calls", "30/second; 1500/minute; 50000/hour", route="/v1/call*", client_class="authenticated"),
    # Media agents and providers send many small events for many calls from one address; this only stops floods.
    RateLimitRule("webhooks", "60000/minute", route="/v1/livekit/*", burst=2000),
    RateLimitRule("twilio", "60000/minute", route="/v1/twilio/*", burst=2000),
    RateLimitRule("events", "60000/minute", route="/call/event", burst=2000),
    RateLimitRule("media", "12000/minute", route="/v1/calls/{call_id}/media", burst=2000),
)
"""How many requests one client may send: an operator, or an address where nobody is known. The most specific rule holds."""


@dataclass(frozen=True, slots=True)
class Resilience:
    """The pipelines, and who decides how many requests come in."""

    manager: ResilienceManager
    admission: RateLimitAdmission
    rules: tuple[RateLimitRule, ...]

    def around(self, dependency: str) -> Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]:
        """For `create_client(wrap=...)`: every request goes through the dependency's pipeline."""
        pipeline = self.manager.pipeline(dependency)
        return lambda inner: PipelineTransport(inner, pipeline)

    async def start(self) -> None:
        """Connect to the shared stores. If they are not there, this process judges by itself until they are."""
        if not await self.manager.start():
            logger.warning("the shared stores of limits and circuits cannot be reached; this process goes by its own")

    async def stop(self) -> None:
        """Close the connections to the shared stores."""
        await self.manager.aclose()
        await self.admission.aclose()


def make_resilience(settings: AppSettings, clock: Clock, registry: CollectorRegistry | None = None) -> Resilience:
    """What the settings ask for, scaled to the environment; counted in `registry`.

    Raises:
        ConfigurationError: A rule has no such name, its limits are none, or the shared store's URL is none; names the setting.
    """
    own, environment = settings.resilience, settings.environment
    rules = _rules(own.rate_limits)
    metrics = None if registry is None else ResilienceMetrics(registry)
    decided = () if metrics is None else (metrics.decided,)
    url = own.shared_url.get_secret_value() if own.shared_url else None
    storage = open_storage(url or "async+monotonic://", clock=clock)
    manager = ResilienceManager(
        {name: for_profile(config, environment) for name, config in DEPENDENCIES.items()},
        clock=clock,
        observers=() if metrics is None else (metrics.changed,),
        decision_observers=decided,
        breaker_store=open_breaker_store(url) if url else None,
        rate_storage=None if isinstance(storage, MonotonicStorage) else storage,
    )
    if metrics is not None:
        metrics.watch(manager)
    admission = RateLimitAdmission(
        rules, classify=_client_class, storage=storage, clock=clock, decision_observers=decided
    )
    return Resilience(manager, admission, rules)


def _rules(limits: Mapping[str, str]) -> tuple[RateLimitRule, ...]:
    strangers = sorted(limits.keys() - {rule.name for rule in RULES})
    if strangers:
        known = ", ".join(rule.name for rule in RULES)
        raise ConfigurationError(
            f"resilience.rate_limits: no rule is called {', '.join(strangers)}; there are {known}",
            details={"setting": "resilience.rate_limits"},
        )
    return tuple(replace(rule, limits=limits[rule.name], burst=None) if rule.name in limits else rule for rule in RULES)


def _client_class(request: AdmissionRequest) -> str | None:
    return "authenticated" if request.client.startswith("id:") else None
