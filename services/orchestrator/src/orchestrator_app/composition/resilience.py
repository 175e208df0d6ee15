"""Which policies stand in front of which service, and how many requests may come in.

A service of this process's own has one pipeline. One that each tenant brings along, its model and its endpoints, has a pipeline per tenant, so
that a tenant's broken model opens nobody else's circuit.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import httpx
from prometheus_client import CollectorRegistry

from orchestrator_app.settings import AppSettings
from orchestrator_calls.http_actions import TENANT
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import AdmissionRequest, Clock
from orchestrator_resilience.config import BulkheadConfig, CircuitBreakerConfig, RetryConfig
from orchestrator_resilience.http_transport import PipelineTransport
from orchestrator_resilience.manager import Pipeline, ResilienceManager
from orchestrator_resilience.metrics import ResilienceMetrics
from orchestrator_resilience.pipeline_config import SERVICE_DEFAULTS, PipelineConfig, for_profile
from orchestrator_resilience.rate_limit_rules import RateLimitAdmission, RateLimitRule
from orchestrator_resilience.rate_limiter import MonotonicStorage, open_storage
from orchestrator_resilience.shared_breaker import open_breaker_store
from orchestrator_resilience.telemetry import SpanEvents

__all__ = ["DEPENDENCIES", "RULES", "Resilience", "make_resilience"]

logger = logging.getLogger(__name__)

Wrap = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]

_ONCE: Final = RetryConfig(attempts=2, base_seconds=0.1, max_seconds=0.5)

DEPENDENCIES: Final[Mapping[str, PipelineConfig]] = {
    # A sentence that is late is spoken by the next voice: the fail-over is the retry.
    "tts_service": replace(SERVICE_DEFAULTS["tts_service"], time_limit_seconds=10.0),
    "chat_service": PipelineConfig(
        breaker=CircuitBreakerConfig(), bulkhead=BulkheadConfig(limit=200), time_limit_seconds=10.0
    ),
    # An utterance that is not recognized in time is asked for again, by the caller being asked.
    "asr_service": PipelineConfig(
        breaker=CircuitBreakerConfig(), bulkhead=BulkheadConfig(limit=200), time_limit_seconds=5.0
    ),
    # An action carries its key, so a second attempt is the same action.
    "actions": replace(SERVICE_DEFAULTS["external_api"], time_limit_seconds=5.0, retry=_ONCE),
}
"""What this application asks of others. A time limit is to the first byte of an answer."""

OF_TENANTS: Final[Mapping[str, PipelineConfig]] = {
    "chat_service": DEPENDENCIES["chat_service"],
    # Half of the connections that all tenants share: one that is slow leaves room for the others.
    "actions": replace(DEPENDENCIES["actions"], bulkhead=BulkheadConfig(limit=50)),
}
"""What each tenant brings along. Its pipeline is called `dependency:tenant`; that of the dependency serves those that have none."""

MOST_OF_TENANTS: Final = 200
"""Pipelines of tenants at one time. A further one takes the place of that which was used longest ago, unless no circuit is closed."""

RULES: Final = (
    RateLimitRule("anonymous", "120/minute; 1200/hour"),
    # By address; guesses at one account wait longer and longer besides, from wherever they come.
    RateLimitRule("sign_in", "30/minute; 300/hour", route="/auth/login*"),
    RateLimitRule("passwords", "30/minute; 300/hour", route="/auth/password/*"),
    RateLimitRule("authenticated", "20/second; 600/minute; 20000/hour", client_class="authenticated"),
    RateLimitRule("calls", "30/second; 1500/minute; 50000/hour", route="/v1/call*", client_class="authenticated"),
    # Media agents and providers send many small events for many calls from one address; this only stops floods.
    RateLimitRule("webhooks", "60000/minute", route="/v1/livekit/*", burst=2000),
    RateLimitRule("twilio", "60000/minute", route="/v1/twilio/*", burst=2000),
    RateLimitRule("hotel", "6000/minute", route="/v1/apaleo/*", burst=500),
    RateLimitRule("events", "60000/minute", route="/call/event", burst=2000),
    RateLimitRule("media", "12000/minute", route="/v1/calls/{call_id}/media", burst=2000),
)
"""How many requests one client may send: an operator, or an address where nobody is known. The most specific rule holds."""


class TenantPipelines:
    """The pipelines of what tenants bring along: made at their first request, gone with their tenant.

    Args:
        manager: Where they are, beside those of the process.
        configs: Of all dependencies of the process.
        own: How those of tenants differ.
        tenants: Those that there are now.
    """

    def __init__(
        self,
        manager: ResilienceManager,
        configs: Mapping[str, PipelineConfig],
        own: Mapping[str, PipelineConfig],
        tenants: Container[str],
    ) -> None:
        self._manager = manager
        self._configs = configs
        self._own = own
        self._tenants = tenants
        self._known: OrderedDict[str, tuple[str, PipelineConfig]] = OrderedDict()

    def of(self, dependency: str, tenant: str) -> Pipeline:
        """The pipeline for a request of this tenant."""
        name = f"{dependency}:{tenant}"
        if name not in self._known:
            self.forget_removed()
            if tenant not in self._tenants or not self._make_room():
                return self._manager.pipeline(dependency)
            self._known[name] = (tenant, self._own[dependency])
            self._take_up()
        self._known.move_to_end(name)
        return self._manager.pipeline(name)

    def forget_removed(self) -> None:
        """Let the pipelines of tenants go that are there no more."""
        gone = [name for name, (tenant, _) in self._known.items() if tenant not in self._tenants]
        for name in gone:
            del self._known[name]
        if gone:
            self._take_up()

    def _make_room(self) -> bool:
        if len(self._known) < MOST_OF_TENANTS:
            return True
        closed = (name for name in self._known if self._manager.breaker(name).state == "closed")
        name = next(closed, None)
        if name is not None:
            del self._known[name]
        return name is not None

    def _take_up(self) -> None:
        self._manager.reload({**self._configs, **{name: config for name, (_, config) in self._known.items()}})


class _TenantTransport(httpx.AsyncBaseTransport):
    """Sends each request through the pipeline of its tenant, which is looked up when it is sent."""

    def __init__(self, inner: httpx.AsyncBaseTransport, find: Callable[[httpx.Request], Pipeline]) -> None:
        self._inner = inner
        self._find = find

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await PipelineTransport(self._inner, self._find(request)).handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass(frozen=True, slots=True)
class Resilience:
    """The pipelines, and who decides how many requests come in."""

    manager: ResilienceManager
    admission: RateLimitAdmission
    rules: tuple[RateLimitRule, ...]
    tenants: TenantPipelines = field(repr=False)
    wrap: Wrap = field(default=lambda inner: inner, repr=False)
    """Stands between the pipelines and the network: what it sees is one attempt."""

    def around(self, dependency: str) -> Wrap:
        """For `create_client(wrap=...)`: every request goes through the dependency's pipeline."""
        pipeline = self.manager.pipeline(dependency)
        return lambda inner: PipelineTransport(self.wrap(inner), pipeline)

    def around_tenant(self, dependency: str, tenant: str) -> Wrap:
        """As `around`, for a client of one tenant."""
        return lambda inner: _TenantTransport(self.wrap(inner), lambda _request: self.tenants.of(dependency, tenant))

    def around_tenants(self, dependency: str) -> Wrap:
        """As `around`, for a client that all tenants share; `TENANT` in a request's extensions says whose it is."""
        return lambda inner: _TenantTransport(
            self.wrap(inner), lambda request: self.tenants.of(dependency, str(request.extensions[TENANT]))
        )

    async def start(self) -> None:
        """Connect to the shared stores. If they are not there, this process judges by itself until they are."""
        if not await self.manager.start():
            logger.warning("the shared stores of limits and circuits cannot be reached; this process goes by its own")

    async def stop(self) -> None:
        """Close the connections to the shared stores."""
        await self.manager.aclose()
        await self.admission.aclose()


def make_resilience(
    settings: AppSettings,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    *,
    wrap: Wrap = lambda inner: inner,
    events: SpanEvents | None = None,
) -> Resilience:
    """What the settings ask for, scaled to the environment; counted in `registry`, told to `events`.

    `wrap` stands around every client's own transport, within the policies.

    Raises:
        ConfigurationError: A rule has no such name, its limits are none, or the shared store's URL is none; names the setting.
    """
    own, environment = settings.resilience, settings.environment
    rules = _rules(own.rate_limits)
    metrics = None if registry is None else ResilienceMetrics(registry)
    told = [each for each in (metrics, events) if each is not None]
    decided = [each.decided for each in told]
    url = own.shared_url.get_secret_value() if own.shared_url else None
    storage = open_storage(url or "async+monotonic://", clock=clock)
    configs = {name: for_profile(config, environment) for name, config in DEPENDENCIES.items()}
    of_tenants = {name: for_profile(config, environment) for name, config in OF_TENANTS.items()}
    manager = ResilienceManager(
        configs,
        clock=clock,
        observers=[each.changed for each in told],
        decision_observers=decided,
        breaker_store=open_breaker_store(url) if url else None,
        rate_storage=None if isinstance(storage, MonotonicStorage) else storage,
    )
    if metrics is not None:
        metrics.watch(manager)
    admission = RateLimitAdmission(
        rules, classify=_client_class, storage=storage, clock=clock, decision_observers=decided
    )
    tenants = TenantPipelines(manager, configs, of_tenants, settings.tenants)
    return Resilience(manager, admission, rules, tenants, wrap)


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
